"""A program elsewhere: it calls the API of a running application over HTTP, and waits for runs in both ways."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.support.visitor import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS, until

API = "/api/v1"
AWAY = (OSError, http.client.HTTPException, ValueError)
PAUSE_SECONDS = 0.05


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any


class Remote:
    """A program with a token of a person who has an account; each request has a connection of its own."""

    def __init__(self, port: int, email: str) -> None:
        self.port = port
        self.token = ""
        self.token = self.call("POST", "/tokens", {"email": email, "password": PASSWORD}).body["token"]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request. Raises one of AWAY if no whole answer comes."""
        with self.open(method, path, body, **headers) as response:
            data = response.read()
            return Answer(response.status, dict(response.headers), json.loads(data) if data else None)

    def submit(self, task: str, **parameters: Any) -> int:
        answer = self.call("POST", f"/tasks/{task}/runs", parameters)
        assert answer.status == 201, answer
        return int(answer.body["id"])

    @contextmanager
    def open(self, method: str, path: str, body: Any = None, **headers: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, API + path, None if body is None else json.dumps(body), sent)
            yield connection.getresponse()
        finally:
            connection.close()


class Follower(threading.Thread):
    """Follows a run to its end, however often the connection is lost; `seen` has each version with its state."""

    def __init__(self, program: Remote, run_id: int) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[int, str]] = []
        self.losses = 0
        """The number of waits that were not answered as a whole."""
        self.program, self.run_id = program, run_id

    @property
    def version(self) -> int:
        return self.seen[-1][0] if self.seen else 0

    @property
    def ended(self) -> bool:
        return bool(self.seen) and self.seen[-1][1] in ("succeeded", "failed", "cancelled")

    def run(self) -> None:
        while not self.ended:
            try:
                self.wait()
            except AWAY:
                self.losses += 1
                threading.Event().wait(PAUSE_SECONDS)

    def wait(self) -> None:
        """Wait for the next version, or for all that a stream brings."""
        raise NotImplementedError

    def note(self, run: Mapping[str, Any]) -> None:
        if run["version"] != self.version:
            self.seen.append((run["version"], run["state"]))

    def await_version(self, version: int, patience: float = PATIENCE_SECONDS) -> None:
        until(lambda: self.version >= version, f"version {version} by {type(self).__name__}", patience)


class LongPoll(Follower):
    def wait(self) -> None:
        answer = self.program.call("GET", f"/runs/{self.run_id}?wait=60&version={self.version}")
        if answer.status == http.HTTPStatus.OK:
            self.note(answer.body)
        else:
            raise OSError(f"answered {answer.status}")


class Stream(Follower):
    def wait(self) -> None:
        headers = {"Accept": "text/event-stream", "Last_Event_ID": str(self.version)}
        with self.program.open("GET", f"/runs/{self.run_id}", **headers) as response:
            if response.status != http.HTTPStatus.OK:
                raise OSError(f"answered {response.status}")
            for line in response:
                name, _, value = line.decode().strip().partition(": ")
                if name == "data":
                    self.note(json.loads(value))
        if not self.ended:
            raise OSError("the stream ended")


def join(*followers: Follower) -> None:
    """Wait for the end of what they follow."""
    for one in followers:
        one.join(PATIENCE_SECONDS)
        assert not one.is_alive(), f"{type(one).__name__} is still at {one.seen[-1:]}"
