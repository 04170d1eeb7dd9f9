"""Measure the cost of open sockets, idle and under load, compared with a reference on the same machine.

Ours is the application as started in production, with one web process. Its users have twenty pages each and session
cookies signed here; each page is the start page of a user with ten runs. The reference is a bare flask-sock handler
that accepts and waits, under the same gunicorn configuration and with equally frequent pings.

- Memory is the proportional set size (PSS) of the web process with the sockets open, minus that without sockets after a
  warm-up. CPU is its share of one core over a period in which every socket is pinged twice.
- A change is timed until the first and the last socket have received the whole frame. The time starts before the commit
  or, for the reference, before the request that makes its loop send the same bytes. A change of one user's run goes to
  all sockets, for which the limit of twenty pages per user is lifted. A change of one run of each user goes to the
  pages of all users, within the limit. The rate limit for frames is off, because changes would wait for earlier ones.
  Figures are medians of several changes.
- Submit → fragment lasts from posting a form until its result arrives at the socket; the start page is a single GET.
  The two take turns. Their reference is the same application, idle and without sockets. "Busy" means one endless run of
  estimate_pi per core, with one worker more than cores.

Expected results: a sixth of the reference's memory, because its handler and reader need a stack each and ours need
none, and about half of its CPU, although the reference makes no checks. A change of one user takes little longer than
the reference, which encodes its text for each socket but does not commit, read or render it. The changes of fifty users
take five to eight times as long as the reference, because fifty pages are read and rendered at 2 ms each, whereas the
reference sends one existing text.

Both servers run at the same time. Idle figures are measured simultaneously, and sends take turns, so that a noisy
machine affects both alike. The clients also need CPU, so absolute figures depend on the machine: rely on the ratios.
The benchmark takes about four minutes; `--sockets` and `--idle` make it shorter.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection

from benchmarks.crowd import Crowd
from benchmarks.servers import PAGES_A_USER, Bare, Ours, Server
from tests.support.person import Person, receive_until, shows
from tests.support.waiting import until

FEW, MANY = 1_000, 10_000
IDLE_SECONDS = 50.0
CHANGES = 20
TURNS = 200
WARM_UP = 30
SPARE_FILES = 500
WORDS = ("submit → fragment, p50", "submit → fragment, p99", "start page, p50", "start page, p99")
CORES = os.cpu_count() or 1

Row = tuple[str, float, float]
Table = tuple[str, Sequence[Row]]  # the reference's name
S = TypeVar("S", bound=Server)


class Side(Generic[S]):
    """A server and the pages connected to it."""

    def __init__(self, server: S, crowd: Crowd) -> None:
        self.server = server
        self.crowd = crowd
        self._empty = 0.0

    def look_empty(self) -> None:
        """Record the server's memory without sockets, after a warm-up that creates everything the sockets share."""
        self.open(PAGES_A_USER)
        self.leave()
        self._empty = self.server.kilobytes()

    def open(self, count: int) -> None:
        """Open sockets until there are `count`."""
        self.crowd.open(self.server.places(count)[self.crowd.count() :])

    def leave(self) -> None:
        self.crowd.leave()

    def kilobytes_each(self) -> float:
        return (self.server.kilobytes() - self._empty) / self.crowd.count()

    def delays(self, change: Callable[[], float]) -> tuple[float, float]:
        """Return the milliseconds from a change to its arrival at the first and at the last socket."""
        self.crowd.listen()
        begun = change()
        heard = self.crowd.heard()
        return (heard.first - begun) * 1000, (heard.last - begun) * 1000


def idle(sides: Sequence[Side[Any]], count: int, seconds: float) -> list[Row]:
    """Measure memory and CPU of `count` idle sockets."""
    for side in sides:
        side.open(count)
    begun, before = time.monotonic(), [side.server.cpu_seconds() for side in sides]
    time.sleep(seconds)
    lasted, after = time.monotonic() - begun, [side.server.cpu_seconds() for side in sides]
    assert [side.crowd.count() for side in sides] == [count, count], "sockets were lost"
    kilobytes, others = (side.kilobytes_each() for side in sides)
    percent, of_other = (100 * (late - early) / lasted for late, early in zip(after, before, strict=True))
    return [
        (f"{count:,} idle sockets: memory of each, KB", kilobytes, others),
        (f"{count:,} idle sockets: CPU, % of a core", percent, of_other),
    ]


def one_change(ours: Side[Ours], bare: Side[Bare], label: str, change: Callable[[], float]) -> list[Row]:
    """Measure how long a change takes to reach all sockets, and the bare loop with the same bytes."""
    mine, other = [], []
    for _ in range(WARM_UP + CHANGES):
        mine.append(ours.delays(change))
        other.append(bare.delays(partial(bare.server.publish, ours.crowd.text())))
    (first, last), (other_first, other_last) = medians(mine[WARM_UP:]), medians(other[WARM_UP:])
    return [
        (f"{label} → first of {ours.crowd.count():,}, ms", first, other_first),
        (f"{label} → last of {ours.crowd.count():,}, ms", last, other_last),
    ]


def medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    ones, others = zip(*pairs, strict=True)
    return statistics.median(ones), statistics.median(others)


def turn(person: Person, page: ClientConnection) -> tuple[float, float]:
    """Return the seconds from submitting a form to its result, and those for the start page."""
    begun = time.perf_counter()
    receive_until(page, shows(person.submit("reverse_text", text="dumbwaiter"), "succeeded"))
    between = time.perf_counter()
    load_start_page(person)
    return between - begun, time.perf_counter() - between


def load_start_page(person: Person) -> None:
    """Load the page without parsing it, because parsing would take longer than the request."""
    with urlopen(Request(f"{person.url}/", headers={"Cookie": person.cookie})) as response:
        response.read()


def turns(person: Person) -> list[float]:
    """Return the figures named in WORDS, in milliseconds."""
    with person.socket("?limit=10") as page:
        page.recv()
        seconds = [turn(person, page) for _ in range(WARM_UP + TURNS)][WARM_UP:]
    cuts = [statistics.quantiles(side, n=100) for side in zip(*seconds, strict=True)]
    return [cut[p - 1] * 1000 for cut in cuts for p in (50, 99)]


@contextmanager
def busy(person: Person) -> Iterator[None]:
    """Keep every core busy during the block."""
    runs = [f"/runs/{person.submit('estimate_pi', samples=str(10**10))}" for _ in range(CORES)]
    for run in runs:
        until(partial(is_running, person, run), f"the start of {run}")
    try:
        yield
    finally:
        for run in runs:
            person.post(f"{run}/cancel")


def is_running(person: Person, run: str) -> bool:
    return bool(person.get(run).select("article[data-state=running]"))


def measure(ours: Side[Ours], bare: Side[Bare], few: int, many: int, seconds: float) -> Iterator[Table]:
    """Yield the tables, each with the name of its reference."""
    server, users = ours.server, -(-few // PAGES_A_USER)
    person = Person(server.stack.url, "bench@example.com")
    quiet = turns(person)
    ours.look_empty()
    bare.look_empty()
    rows = idle((ours, bare), few, seconds)
    rows += one_change(ours, bare, f"a run of each of {users} users", lambda: server.change(users))
    with_sockets = turns(person)
    with busy(person):
        with_busy = turns(person)
    rows += idle((ours, bare), many, seconds)
    ours.leave()
    bare.leave()
    ours.crowd.open(server.places(few, pages_a_user=few))
    bare.open(few)
    rows += one_change(ours, bare, "a run of one user", lambda: server.change(1))
    yield "bare flask-sock", rows
    for label, figures in ((f"{few:,} sockets", with_sockets), (f"{few:,} sockets, busy", with_busy)):
        yield (
            "quiet",
            [
                (f"{label}: {words}, ms", mine, before)
                for words, mine, before in zip(WORDS, figures, quiet, strict=True)
            ],
        )


def line(label: str, ours: float, reference: float) -> str:
    ratio = f"{ours / reference:>10.2f}" if reference else f"{'–':>10}"
    return f"{label:<52}{ours:>12,.1f}{reference:>18,.1f}{ratio}"


def allow_files(sockets: int) -> int:
    """Raise the limit of open files for this process and its children; return how many sockets it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + SPARE_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, soft), hard))
    return min(sockets, allowed - SPARE_FILES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=MANY, help=f"number of sockets to open (default {MANY:,})")
    parser.add_argument(
        "--idle", type=float, default=IDLE_SECONDS, help=f"seconds of idle measurement (default {IDLE_SECONDS:.0f})"
    )
    asked = parser.parse_args()
    many = allow_files(asked.sockets)
    if many < asked.sockets:
        print(f"Only {many:,} of {asked.sockets:,} sockets: the limit of open files is too low (ulimit -Hn).")
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        ours = Side(stack.enter_context(Ours(folders[0], CORES + 1)), stack.enter_context(Crowd()))
        bare = Side(stack.enter_context(Bare(folders[1])), stack.enter_context(Crowd()))
        for reference, rows in measure(ours, bare, min(FEW, many), many, asked.idle):
            print(f"{'':<52}{'ours':>12}{reference:>18}{'ratio':>10}")
            print("\n".join(line(*row) for row in rows), flush=True)


if __name__ == "__main__":
    main()
