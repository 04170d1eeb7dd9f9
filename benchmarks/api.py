"""Measure programs that wait for runs, beside pages that do, and the way from a submission to its result.

- Memory is the proportional set size (PSS) of the single web process with so many idle long polls, event streams or
  pages, minus that without them after a warm-up; each kind in an application of its own, because freed memory is used
  again. The connections to the database are those that the process holds while all of them wait.
- POST → finished lasts from a program's POST until it has read the run as finished, by long poll and by events; form →
  fragment from a page's POST, as htmx sends it, until the run's last fragment is at the page's socket. The three take
  turns in one application with one worker, so that a noisy machine affects all alike.

Expected results: a waiting program costs about as much as a page, because neither keeps a greenlet or a request; and it
hears of its result no later than a page.
"""

import argparse
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection

from benchmarks.crowd import Crowd
from benchmarks.servers import PAGES_A_USER, Ours
from benchmarks.sockets import allow_files
from benchmarks.submit_to_fragment import in_turns, line
from jobs.storage.database import utcnow
from tests.support.people import make_owner, make_run
from tests.support.person import Person, receive_until, shows
from tests.support.remote import Follower, LongPoll, Remote, Stream
from tests.support.stack import Stack
from tests.support.waiting import until
from webapp.accounts import tokens
from webapp.accounts.tokens import Grant

CLIENTS = 1_000
TURNS = 100
WARM_UP_CLIENTS = 100
AT_ONCE = 100
QUIET_SECONDS = 0.02
QUIET_SHARE = 0.3
RUN = re.compile(rb'id="run-([0-9]+)"')

REQUEST = (
    "GET /api/v1/runs/{run}?wait=60&version=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    "Accept: {accept}\r\nLast-Event-ID: 1\r\nUser-Agent: benchmark\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
)


class Programs:
    """Programs that wait, PAGES_A_USER of each user, for runs that never start."""

    def __init__(self, server: Ours, accept: str) -> None:
        self._server = server
        self._accept = accept
        self._open: list[socket.socket] = []
        self._runs: list[tuple[int, str]] = []

    def open(self, count: int) -> None:
        """Connect this many programs, which then wait."""
        for number in range(count):
            run_id, token = self._run(number // PAGES_A_USER)
            one = socket.create_connection(("127.0.0.1", self._server.port))
            request = REQUEST.format(run=run_id, port=self._server.port, token=token, accept=self._accept)
            one.sendall(request.encode())
            self._open.append(one)
            if number % AT_ONCE == 0:  # requests that queue up would leave the memory of their handlers behind
                self._await(len(self._open))
                settle(self._server)
        self._await(count)

    def leave(self) -> None:
        for one in self._open:
            one.close()
        self._open.clear()
        self._await(0)

    def _await(self, count: int) -> None:
        """Wait until the server has so many of these connections: it accepts and closes them when it comes to it."""
        until(lambda: connections(self._server) == count, f"{count:,} connections to the server")

    def _run(self, user: int) -> tuple[int, str]:
        while len(self._runs) <= user:
            backend = self._server.backend
            owner = make_owner(backend, f"waiting{len(self._runs)}@example.com")
            run = make_run(backend, owner, due_at=utcnow() + timedelta(days=1))
            _token, secret = tokens.create(backend.database, owner, Grant("benchmark"))
            self._runs.append((run.id, secret))
        return self._runs[user]


class Pages:
    """As many pages, at their sockets."""

    def __init__(self, server: Ours, crowd: Crowd) -> None:
        self._server = server
        self._crowd = crowd
        self.leave = crowd.leave

    def open(self, count: int) -> None:
        self._crowd.open(self._server.places(count))


def idle(kind: str, count: int) -> Iterator[str]:
    """Yield what so many idle clients of a kind cost."""
    with tempfile.TemporaryDirectory() as folder, Ours(Path(folder), 1) as server, Crowd() as crowd:
        accept = {"long polls": "application/json", "event streams": "text/event-stream"}.get(kind)
        clients = Programs(server, accept) if accept else Pages(server, crowd)
        clients.open(WARM_UP_CLIENTS)
        settle(server)
        clients.leave()
        settle(server)
        empty = server.kilobytes()
        clients.open(count)
        settle(server)
        assert connections(server) >= count, "clients were lost"
        each, files = (server.kilobytes() - empty) / count, database_files(server)
        yield f"{f'{count:,} idle {kind}: memory of each, KB':<52}{each:>10.1f}"
        yield f"{f'{count:,} idle {kind}: connections to the database':<52}{files:>10}"
        clients.leave()


def settle(server: Ours) -> None:
    """Wait until the server has nothing more to do."""

    def is_quiet() -> bool:
        before = server.cpu_seconds()
        time.sleep(QUIET_SECONDS)
        return server.cpu_seconds() - before < QUIET_SHARE * QUIET_SECONDS

    until(is_quiet, "an idle server")


def connections(server: Ours) -> int:
    """Return the number of clients' connections that the web process has."""
    found = server.worker.net_connections("tcp")
    return len([one for one in found if one.status == "ESTABLISHED" and one.laddr.port == server.port])


def database_files(server: Ours) -> int:
    return len([one for one in server.worker.open_files() if one.path.endswith(".db")])


def shown(person: Person, page: ClientConnection) -> float:
    """Return the seconds from a form's POST until the run is shown as finished."""
    headers = {"Origin": person.origin, "Cookie": person.cookie, "HX-Request": "true"}
    begun = time.perf_counter()
    with urlopen(Request(f"{person.url}/tasks/reverse_text", b"text=dumbwaiter", headers)) as response:
        run = RUN.search(response.read())
    assert run, "the response has no run"
    receive_until(page, shows(int(run[1]), "succeeded"))
    return time.perf_counter() - begun


def finished(program: Remote, kind: type[Follower]) -> float:
    """Return the seconds from a program's POST until it has read the run as finished."""
    begun = time.perf_counter()
    run = program.call("POST", "/tasks/reverse_text/runs", {"text": "dumbwaiter"}).body
    follower = kind(program, run["id"])
    follower.note(run)
    while not follower.ended:
        follower.wait()
    return time.perf_counter() - begun


def latency(turns: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), WORKERS="1", LOG_LEVEL="WARNING") as stack:
        person = Person(stack.url, "bench@example.com")
        program = Remote(stack.port, person.email)
        with person.socket() as page:
            page.recv()
            times = in_turns(sides(person, page, program), turns)
    yield f"{f'{turns} submissions of each, milliseconds':<52}{'p50':>10}{'p95':>10}{'p99':>10}"
    names = ("form submitted → fragment at the socket", "POST → finished, by long poll", "POST → finished, by events")
    yield from (line(name, own) for name, own in zip(names, times, strict=True))


def sides(person: Person, page: ClientConnection, program: Remote) -> tuple[Callable[[], float], ...]:
    return (partial(shown, person, page), partial(finished, program, LongPoll), partial(finished, program, Stream))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=CLIENTS, help=f"number of idle clients (default {CLIENTS:,})")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"submissions of each kind (default {TURNS})")
    asked = parser.parse_args()
    count = allow_files(asked.clients)
    for kind in ("long polls", "event streams", "pages"):
        print("\n".join(idle(kind, count)), flush=True)
    print("\n".join(latency(asked.turns)))


if __name__ == "__main__":
    main()
