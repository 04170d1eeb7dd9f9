"""Measure how soon open pages are correct again after a disturbance, and compare each figure with its limit.

Two hundred pages of ten users are open on two web processes, started as in production. A page that loses its socket
reconnects like a browser: after half a second, plus or minus 30%, until it succeeds.

- A deployment is a HUP to the web server, timed from the signal to the last page. Meanwhile some users load the start
  page continuously, each time over a new connection; any status but 200 counts as an error, and so does a refused
  handshake.
- A lost change is committed but never published: one for each user, about a second apart.
- A logout is timed from its request to the user's last page. For a session that ends without an event, the end is only
  committed. Both figures are the slowest of five users.

Pages and server share the machine's cores. The benchmark takes about half a minute.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.person import Person
from tests.support.stack import Stack
from webapp.accounts import users
from webapp.live.socket import RESTART, SIGNED_OUT

USERS, PAGES_A_USER = 10, 20
WEB_PROCESSES = 2
LOADERS = 4
BACK_SECONDS = (0.35, 0.65)
APART_SECONDS = (0.8, 1.2)
LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 120.0

Row = tuple[str, str, str]  # label, figure, limit


class Page:
    """An open page that records its frames and close codes, with their times by time.monotonic()."""

    def __init__(self, person: Person) -> None:
        self._address = f"{person.url.replace('http', 'ws')}/live"
        self._headers = {"Cookie": person.cookie, "Origin": person.url}
        self.frames: list[tuple[float, str]] = []
        self.closed: list[tuple[float, int]] = []
        self.refused = 0

    def has_come_back(self) -> bool:
        return bool(self.closed and self.frames) and self.frames[-1][0] > self.closed[-1][0]

    def back_at(self) -> float:
        return next(at for at, _frame in self.frames if at > self.closed[-1][0])

    async def stay(self) -> None:
        while not (self.closed and self.closed[-1][1] == SIGNED_OUT):
            try:
                await self._listen()
            except (InvalidHandshake, OSError):
                self.refused += 1
            await asyncio.sleep(random.uniform(*BACK_SECONDS))

    async def _listen(self) -> None:
        async with connect(self._address, additional_headers=self._headers, max_size=None, proxy=None) as socket:
            with suppress(ConnectionClosed):
                while True:
                    if frame := str(await socket.recv()):
                        self.frames.append((time.monotonic(), frame))
            self.closed.append((time.monotonic(), socket.close_code or 0))


class User:
    """A user with open pages, who can also load the start page."""

    def __init__(self, stack: Stack, number: int) -> None:
        self.person = Person(stack.url, f"user{number}@example.com")
        self.pages = [Page(self.person) for _ in range(PAGES_A_USER)]
        self.loaded = self.errors = 0

    async def load(self) -> None:
        """Load the start page continuously, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.person.get, "/")
            except OSError:
                self.errors += 1
            self.loaded += 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(LOOK_SECONDS)


def pages_of(crowd: Iterable[User]) -> list[Page]:
    return [page for user in crowd for page in user.pages]


def owner(backend: Backend, user: User) -> int:
    return owner_id(backend, user.person.email)


async def deployment(stack: Stack, crowd: Sequence[User]) -> list[Row]:
    (server,) = [one for one in psutil.Process(stack.process.pid).children() if "gunicorn" in one.cmdline()]
    before, pages, loaders = server.children(), pages_of(crowd), crowd[:LOADERS]
    loading = [asyncio.create_task(user.load()) for user in loaders]
    begun = time.monotonic()
    os.kill(server.pid, signal.SIGHUP)
    await until(lambda: all(page.has_come_back() for page in pages) and not any(one.is_running() for one in before))
    for task in loading:
        task.cancel()
    told = [page.closed[0][0] - begun for page in pages if page.closed[0][1] == RESTART]
    loaded, errors = sum(user.loaded for user in loaders), sum(user.errors for user in loaders)
    return [
        ("deployment: pages asked to reconnect", f"{len(told)} of {len(pages)}", "all"),
        ("deployment: last page asked", f"{max(told):.2f} s", "2 s"),
        ("deployment: last page reconnected", f"{max(page.back_at() for page in pages) - begun:.2f} s", "5 s"),
        ("deployment: pages asked more than once", f"{sum(len(page.closed) > 1 for page in pages)}", ""),
        ("deployment: HTTP errors", f"{errors} of {loaded:,}", "0"),
        ("deployment: refused handshakes", f"{sum(page.refused for page in pages)}", "0"),
    ]


async def lost_changes(backend: Backend, crowd: Sequence[User]) -> list[Row]:
    delays = await asyncio.gather(*(lose(backend, user, number) for number, user in enumerate(crowd)))
    return [("a change without its event: the owner's last page", f"{max(delays):.2f} s", "15 s")]


async def lose(backend: Backend, user: User, number: int) -> float:
    """Return the seconds until every page of a user shows a change that was not published."""
    await asyncio.sleep(number * random.uniform(*APART_SECONDS))
    who, text = owner(backend, user), f"change {number}."
    begun = time.monotonic()
    make_run(backend, who, state=State.SUCCEEDED, result=text, started_at=utcnow(), ended_at=utcnow())
    await until(lambda: all(text in page.frames[-1][1] for page in user.pages))
    return max(page.frames[-1][0] for page in user.pages) - begun


async def signing_out(label: str, crowd: Sequence[User], sign_out: Callable[[User], object]) -> list[Row]:
    delays = [await signed_out(user, sign_out) for user in crowd]
    return [(f"{label}: the user's last page closed", f"{max(delays):.2f} s", "2 s")]


async def signed_out(user: User, sign_out: Callable[[User], object]) -> float:
    """Return the seconds until every page of a user is closed as signed out."""
    begun = time.monotonic()
    await asyncio.to_thread(sign_out, user)
    await until(lambda: all(page.closed and page.closed[-1][1] == SIGNED_OUT for page in user.pages))
    return max(page.closed[-1][0] for page in user.pages) - begun


async def measure(stack: Stack, backend: Backend) -> list[Row]:
    crowd = [User(stack, number) for number in range(USERS)]
    staying = [asyncio.create_task(page.stay()) for page in pages_of(crowd)]
    await until(lambda: all(page.frames for page in pages_of(crowd)))
    rows = await deployment(stack, crowd)
    rows += await lost_changes(backend, crowd)
    some, others = crowd[: USERS // 2], crowd[USERS // 2 :]
    rows += await signing_out("logging out", some, lambda user: user.person.post("/logout"))
    rows += await signing_out(
        "a session that ends without an event",
        others,
        lambda user: users.end_sessions(backend.database, owner(backend, user)),
    )
    await asyncio.gather(*staying)
    return rows


def main() -> None:
    settings = {"WEB_CONCURRENCY": str(WEB_PROCESSES), "LOG_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), **settings) as stack:
        backend = stack.backend()
        rows = asyncio.run(measure(stack, backend))
        backend.database.close()
    print(f"{f'{USERS * PAGES_A_USER} open pages, {WEB_PROCESSES} web processes':<60}{'':>16}{'limit':>10}")
    print("\n".join(f"{what:<60}{figure:>16}{within:>10}" for what, figure, within in rows))


if __name__ == "__main__":
    main()
