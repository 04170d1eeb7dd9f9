"""What open sockets cost and how they bear a load, each figure beside its reference in the same run.

Ours is the application as it is started for real, with one web process; its users, of twenty pages each, are rows whose
session cookies are signed here, and each page is the start page of somebody with ten runs. The reference is a bare
flask-sock handler that accepts and waits, under the same gunicorn configuration and with pings as often.

- Memory is the web process's proportional set size (PSS) with so many sockets less that with none, after it has served
  some; CPU is the web process's share of one core over a time in which every socket is pinged twice.
- A change is timed from before its commit, for the reference from before the request that has the bare loop send the
  same bytes, to the first and to the last of the sockets that have the whole frame. The change of one user's run goes
  to all the sockets, for which the limit of twenty pages to a user is lifted; the change of one run of each user goes
  to those of all users within the limit. Frames are not paced here: changes would wait for those before them. Medians
  of several changes.
- Submit → fragment is a form posted until its result is at the socket, and the start page one GET, taking turns; their
  reference is the same application before, with no socket open and nothing else to do. "Busy" is with an endless run of
  estimate_pi for each core, and one worker more than those.

What to expect: a sixth of the reference's memory, because its handler and its reader wait on a stack each and ours on
none, and about half of its CPU, although that makes no checks. A change of one user takes little longer than the
reference's, which encodes its text for each socket but neither commits, reads nor renders it. The changes of fifty
users are five to eight times the reference, and cannot be near it: they are fifty pages read and rendered, at two
milliseconds each, beside one text that is there already.

Both servers run side by side: what is idle is measured at the same time, what is sent takes turns, so that a noisy
machine disturbs both alike. Their clients need CPU too: the absolute figures are the machine's, believe the ratios.
It takes about four minutes; `--sockets` and `--idle` make it smaller.
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
from tests.support.person import Person, hear, shows
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
    """A server and those who are connected to it."""

    def __init__(self, server: S, crowd: Crowd) -> None:
        self.server = server
        self.crowd = crowd
        self._empty = 0.0

    def look_empty(self) -> None:
        """Note what the server holds without a socket; whatever it makes once for all of them is made before."""
        self.open(PAGES_A_USER)
        self.leave()
        self._empty = self.server.kilobytes()

    def open(self, count: int) -> None:
        """Have so many sockets open."""
        self.crowd.open(self.server.places(count)[self.crowd.count() :])

    def leave(self) -> None:
        self.crowd.leave()

    def kilobytes_each(self) -> float:
        return (self.server.kilobytes() - self._empty) / self.crowd.count()

    def delays(self, change: Callable[[], float]) -> tuple[float, float]:
        """Milliseconds from a change to the first and to the last socket."""
        self.crowd.listen()
        begun = change()
        heard = self.crowd.heard()
        return (heard.first - begun) * 1000, (heard.last - begun) * 1000


def idle(sides: Sequence[Side[Any]], count: int, seconds: float) -> list[Row]:
    """What so many open sockets cost while nothing happens."""
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
    """How long a change takes to all sockets, and the bare loop with what was sent for it."""
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
    """Seconds from a form to its result, and for the start page."""
    begun = time.perf_counter()
    hear(page, shows(person.submit("reverse_text", text="dumbwaiter"), "succeeded"))
    between = time.perf_counter()
    load_start_page(person)
    return between - begun, time.perf_counter() - between


def load_start_page(person: Person) -> None:
    """Nothing but the page's bytes: reading HTML would take longer than making it."""
    with urlopen(Request(f"{person.url}/", headers={"Cookie": person.cookie})) as response:
        response.read()


def turns(person: Person) -> list[float]:
    """Milliseconds, as named in WORDS."""
    with person.socket("?limit=10") as page:
        page.recv()
        seconds = [turn(person, page) for _ in range(WARM_UP + TURNS)][WARM_UP:]
    cuts = [statistics.quantiles(side, n=100) for side in zip(*seconds, strict=True)]
    return [cut[p - 1] * 1000 for cut in cuts for p in (50, 99)]


@contextmanager
def busy(person: Person) -> Iterator[None]:
    """Every core computes."""
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
    """The rows, and whom they are compared with."""
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
    """Let this process and its children open so many sockets each; how many they may where that is fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + SPARE_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, soft), hard))
    return min(sockets, allowed - SPARE_FILES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=MANY, help=f"the most to open ({MANY:,})")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help=f"seconds to watch them ({IDLE_SECONDS:.0f})")
    asked = parser.parse_args()
    many = allow_files(asked.sockets)
    if many < asked.sockets:
        print(f"The limit of open files allows {many:,} sockets instead of {asked.sockets:,} (ulimit -Hn).")
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        ours = Side(stack.enter_context(Ours(folders[0], CORES + 1)), stack.enter_context(Crowd()))
        bare = Side(stack.enter_context(Bare(folders[1])), stack.enter_context(Crowd()))
        for reference, rows in measure(ours, bare, min(FEW, many), many, asked.idle):
            print(f"{'':<52}{'ours':>12}{reference:>18}{'ratio':>10}")
            print("\n".join(line(*row) for row in rows), flush=True)


if __name__ == "__main__":
    main()
