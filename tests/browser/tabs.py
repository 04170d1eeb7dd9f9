"""A Chromium whose tabs are hidden behind the one in front, as a reader's are; Playwright shows them all at once."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from jobs.worker.process import die_with_parent
from tests.support.waiting import PATIENCE_SECONDS, until

# The browser throttles the timers of a tab that has been hidden for five minutes; here it does after ten seconds.
THROTTLED_SOON = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/10"


@contextmanager
def tabbed(command: list[str], folder: Path) -> Iterator["Chromium"]:
    options = ["--headless", "--remote-debugging-port=0", f"--user-data-dir={folder}", THROTTLED_SOON]
    parent = os.getpid()
    process = subprocess.Popen(
        [*command, *options, "about:blank"],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(parent, signal.SIGTERM),
    )
    door = folder / "DevToolsActivePort"
    try:
        port, path = until(lambda: door.read_text().split() if door.exists() else [], "the browser")
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as line:
            yield Chromium(line)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


class Chromium:
    """A browser, spoken to in its own protocol; in front is the tab that was opened or shown last."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._asked = 0

    def open(self, url: str) -> "Tab":
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.ask("Page.navigate", {"url": url}, sessionId=session)
        return Tab(self, target, session)

    def keep(self, url: str, cookies: dict[str, str]) -> None:
        """Store the cookies of a signed-in user."""
        kept = [{"url": url, "name": name, "value": value} for name, value in cookies.items()]
        self.ask("Storage.setCookies", {"cookies": kept})

    def ask(self, method: str, parameters: dict[str, Any], **session: str) -> dict[str, Any]:
        self._asked += 1
        self._line.send(json.dumps({"id": self._asked, "method": method, "params": parameters, **session}))
        while True:
            answer = json.loads(self._line.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return dict(answer["result"])


class Tab:
    """A page of its own, which scripts can be put to."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def show(self) -> None:
        self._browser.ask("Target.activateTarget", {"targetId": self._target})

    def evaluate(self, expression: str) -> Any:
        parameters = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self._browser.ask("Runtime.evaluate", parameters, sessionId=self._session)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")
