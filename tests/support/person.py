"""Somebody who uses the running application over HTTP and its sockets, without a browser."""

import http.cookiejar
import re
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress

from bs4 import BeautifulSoup
from websockets.sync.client import ClientConnection, connect
from werkzeug.datastructures import MultiDict

from tests.support.visitor import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS

NoRedirect = type("NoRedirect", (urllib.request.HTTPRedirectHandler,), {"redirect_request": lambda *_: None})


class Person:
    def __init__(self, url: str, email: str, trusted: ssl.SSLContext | None = None) -> None:
        self.url = url
        self.origin = urllib.parse.urljoin(url, "/").rstrip("/")
        self._trusted = trusted
        self.email = email
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            NoRedirect, urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.HTTPSHandler(context=trusted)
        )
        self.post("/register", email=email, password=PASSWORD)

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)

    def get(self, path: str) -> BeautifulSoup:
        with self._opener.open(self.url + path, timeout=PATIENCE_SECONDS) as response:
            return BeautifulSoup(response.read(), "html.parser")

    def post(self, path: str, **form: str) -> str:
        """Post a form and return where it led."""
        return self._sent(path, urllib.parse.urlencode(form).encode())

    def _sent(self, path: str, data: bytes) -> str:
        request = urllib.request.Request(self.url + path, data, {"Origin": self.origin})
        try:
            self._opener.open(request, timeout=PATIENCE_SECONDS)
        except urllib.error.HTTPError as answer:
            if answer.code == 303:
                return str(answer.headers["Location"])
            raise
        raise AssertionError("the form did not lead anywhere")

    def example(self, task: str) -> BeautifulSoup:
        """Return a task's form with its example filled in."""
        request = urllib.request.Request(f"{self.url}/tasks/{task}", b"_example=1", {"Origin": self.origin})
        with self._opener.open(request, timeout=PATIENCE_SECONDS) as response:
            return BeautifulSoup(response.read(), "html.parser")

    def submit(self, task: str, **parameters: str) -> int:
        return int(self.post(f"/tasks/{task}", **parameters).rpartition("/")[2])

    def submit_all(self, task: str, values: MultiDict[str, str]) -> int:
        """Submit a task with all that its form sends, with names that come more than once."""
        data = urllib.parse.urlencode(list(values.items(multi=True))).encode()
        return int(self._sent(f"/tasks/{task}", data).rpartition("/")[2])

    def socket(self, query: str = "", **options: str) -> ClientConnection:
        headers = {"Cookie": self.cookie, "Origin": options.get("origin", self.origin)}
        address = f"{self.url.replace('http', 'ws')}/live{query}"
        return connect(
            address,
            additional_headers=headers,
            open_timeout=PATIENCE_SECONDS,
            max_size=None,
            proxy=None,
            ssl=self._trusted,
        )


def receive_until(socket: ClientConnection, wanted: Callable[[str], bool]) -> list[str]:
    """Return the frames up to the first wanted one, without heartbeats. Raises TimeoutError if it does not arrive."""
    frames: list[str] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if not (frame := str(socket.recv(timeout=max(0.0, deadline - time.monotonic())))):
            continue
        frames.append(frame)
        if wanted(frame):
            return frames


def receives_nothing(socket: ClientConnection) -> bool:
    """Return whether nothing but heartbeats arrives within half a second."""
    with suppress(TimeoutError):
        while not socket.recv(timeout=0.5):
            pass
        return False
    return True


def shows(run_id: int, state: str) -> Callable[[str], bool]:
    """Return a test of frames: whether one shows the run in this state."""
    pattern = re.compile(rf'id="run-{run_id}"[^>]*data-state="{state}"')
    return lambda frame: bool(pattern.search(frame))
