"""Measure how much slower pages, submits, claims and sweeps are among 1,000,000 runs than among 1,000.

Both histories belong to one user and have the same few runs that the filters look for, among the oldest. They are
served by an application each, started as in production with one worker. The two take turns, so that a noisy machine
affects both alike, and the best of three rounds counts, because noise only adds: rely on the ratios of the 95th
percentiles, which should be at most 1.2. A search for what is rare has more to look at, and should take at most 60 ms.

The second table adds queued runs, 1,000 to the short history and 100,000 to the long one, which no worker takes. There
a submit ends when the queued run is on the page. A sweep and a claim are timed in this process, while the applications
are stopped. `--database=postgres` needs a Postgres on this machine. With SQLite it takes about three minutes.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rq.suspension import suspend
from websockets.sync.client import ClientConnection

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.storage import Database
from jobs.worker.sweeper import Sweeper
from tests.conftest import redis_running
from tests.support import databases
from tests.support.history import write_history, write_queue
from tests.support.people import make_run, owner_id
from tests.support.person import Person, receive_until, shows
from tests.support.postgres import throw_away
from tests.support.stack import Stack

FEW = 1000
ROUNDS = 3
TURNS = 60
WARM_UP = 10
BREATH_SECONDS = 0.1  # a page gets no more than ten frames a second
LIMIT = 1.2

# A frequent word, one in a thousand runs, one of the oldest runs alone, none, and words with filters.
SEARCHES = (
    *("hello", "seldom7", "rare", "none", "%22hello+olleh%22", "input.text:hello", "since:1d"),
    *("state:failed+hello", "state:cancelled+hello", "task:mandelbrot+hello"),
)
FILTERS = ("task=mandelbrot", "state=cancelled", "task=mandelbrot&state=cancelled", "task=factorise&state=failed")
PAGES = {
    "start page": "/",
    "history": "/runs",
    "history, from the middle": "/runs?before={middle}",
    **{f"history, {few}": f"/runs?{few}" for few in FILTERS},
    **{f"history, search for {words}": f"/runs?q={words}" for words in SEARCHES},
    "task's page": "/tasks/reverse_text",
    "run's page": "/runs/{middle}",
}

Act = Callable[["Site"], float]
Row = tuple[str, list[float]]  # a label, and the percentile of each site in seconds


@dataclass
class Site:
    """An application with a history, which belongs to one person."""

    stack: Stack
    backend: Backend
    person: Person
    owner_id: int
    runs: int
    queued: int
    socket: ClientConnection | None = None

    def get(self, path: str) -> float:
        """Return the seconds until a page is loaded."""
        address = self.person.url + path.format(middle=self.runs // 2)
        request = urllib.request.Request(address, headers={"Cookie": self.person.cookie})
        begun = time.perf_counter()
        with urllib.request.urlopen(request) as response:
            response.read()
        return time.perf_counter() - begun

    def submit(self, state: str) -> float:
        """Return the seconds from a submit until an open page shows the run in this state."""
        assert self.socket
        time.sleep(BREATH_SECONDS)
        begun = time.perf_counter()
        run_id = self.person.submit("reverse_text", text="dumbwaiter")
        receive_until(self.socket, shows(run_id, state))
        return time.perf_counter() - begun

    def claim(self) -> float:
        run = make_run(self.backend, self.owner_id)
        begun = time.perf_counter()
        held = lease.claim(self.backend.database, run.id, "bench")
        took = time.perf_counter() - begun
        assert held
        lease.succeed(self.backend.database, held, "done")
        return took


def patient(backend: Backend) -> contextlib.closing[Database]:
    """Open the same database without a limit of time for one statement."""
    return contextlib.closing(Database(backend.settings.database, answer_seconds=None))


@contextlib.contextmanager
def made(runs: int, queued: int) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        caps = dict.fromkeys(("USER_QUEUED_RUNS", "USER_RUNS_A_DAY"), "1000000")
        stack = Stack(Path(folder), WORKERS="1", LOG_LEVEL="WARNING", **caps)
        with stack:
            backend = stack.backend()
            person = Person(stack.url, "bench@example.com")
        site = Site(stack, backend, person, owner_id(backend, person.email), runs, queued)
        with patient(backend) as database:
            write_history(database, site.owner_id, runs)
        yield site
        backend.database.close()


def measured(sites: tuple[Site, ...], act: Act) -> list[float]:
    """Return the 95th percentile of each site, the lowest of ROUNDS. They take turns, in changing order."""
    for site in sites * WARM_UP:
        act(site)
    rounds = [_percentiles(sites, act) for _ in range(ROUNDS)]
    return [min(each) for each in zip(*rounds, strict=True)]


def _percentiles(sites: Sequence[Site], act: Act) -> list[float]:
    times: list[list[float]] = [[] for _ in sites]
    for turn in range(TURNS):
        for place in sorted(range(len(sites)), reverse=bool(turn % 2)):
            times[place].append(act(sites[place]))
    return [statistics.quantiles(each, n=20)[-1] for each in times]


def behind(sites: tuple[Site, ...], hold_workers: bool) -> list[Row]:
    """Measure what happens behind the pages, with the applications stopped."""
    with contextlib.ExitStack() as stack:
        for site in sites:
            redis = stack.enter_context(redis_running(site.backend.settings))
            if hold_workers:
                suspend(redis)
        sweepers = {site.runs: Sweeper(site.backend) for site in sites}
        rows = [("sweep", measured(sites, lambda site: timed(sweepers[site.runs].sweep)))]
        rows.append(("claim", measured(sites, Site.claim)))
        for sweeper in sweepers.values():
            sweeper.leave()
    return rows


def timed(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def on_pages(sites: tuple[Site, ...], shown: str) -> list[Row]:
    with contextlib.ExitStack() as stack:
        for site in sites:
            stack.enter_context(site.stack)
            site.socket = stack.enter_context(site.person.socket())
            site.socket.recv()
        rows = [(label, measured(sites, partial(Site.get, path=path))) for label, path in PAGES.items()]
        words = "submit → the page shows it " + ("queued" if shown == "queued" else "done")
        return [*rows, (words, measured(sites, lambda site: site.submit(shown)))]


def report(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{f'{title}, milliseconds, p95':<60}{'few':>10}{'many':>10}{'ratio':>10}{'limit':>10}")
    for label, (few, many) in rows:
        print(f"{label:<60}{few * 1000:>10.1f}{many * 1000:>10.1f}{many / few:>10.2f}{LIMIT:>10}", flush=True)


def measure(many: int, queued: int) -> None:
    with made(FEW, FEW) as short, made(many, queued) as long:
        sites = (short, long)
        report(f"{FEW:,} and {many:,} runs", [*on_pages(sites, "succeeded"), *behind(sites, hold_workers=False)])
        for site in sites:
            with patient(site.backend) as database:
                write_queue(database, site.owner_id, site.queued)
        rows = behind(sites, hold_workers=True)
        report(f"the same with {FEW:,} and {queued:,} queued runs", [*on_pages(sites, "queued"), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how much slower a long history is.")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=100_000)
    options = parser.parse_args()
    server = throw_away() if options.database == "postgres" else contextlib.nullcontext(None)
    with server as databases.server:
        measure(options.runs, options.queued)


if __name__ == "__main__":
    main()
