"""Measure the time from a click to the result on the page, compared with a no-op job of RQ on the same machine.

Ours is the whole path: an HTTP POST of the form, validation, the committed row, Redis, a worker, the committed result,
and the rendered fragment at the WebSocket. RQ's is its bare core: from `enqueue` of a no-op until the stock forking
`Worker` has marked the job as finished, polled in Redis every 0.2 ms. Both use the same Redis server and one worker.
They take turns, so that a noisy machine affects both alike: first single ones, with a pause before each of ours, as a
person makes it, and then blocks of submits that follow each other without pauses, as a program makes them.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from redis import Redis
from rq import Queue, Worker
from rq.job import JobStatus
from websockets.sync.client import ClientConnection

from jobs.storage.redis import connect_redis
from tests.support.person import Person, receive_until, shows
from tests.support.stack import Stack

TURNS = 200
LOOK_SECONDS = 0.0002
BREATH_SECONDS = 0.3
WARM_UP = 10
BLOCK = 50  # submits without pauses, before it is the other's turn


def serve_stock(url: str) -> None:
    worker: Worker = Worker(["stock"], connection=Redis.from_url(url))
    worker.work(logging_level="ERROR")


def ours(person: Person, socket: ClientConnection) -> float:
    begun = time.perf_counter()
    run_id = person.submit("reverse_text", text="dumbwaiter")
    receive_until(socket, shows(run_id, "succeeded"))
    return time.perf_counter() - begun


def ours_after_a_pause(person: Person, socket: ClientConnection) -> float:
    time.sleep(BREATH_SECONDS)
    return ours(person, socket)


def stock(queue: Queue) -> float:
    begun = time.perf_counter()
    job = queue.enqueue("benchmarks.noop.nothing")
    while job.get_status() is not JobStatus.FINISHED:
        time.sleep(LOOK_SECONDS)
    return time.perf_counter() - begun


def in_turns(sides: tuple[Callable[[], float], ...], turns: int, block: int = 1) -> list[list[float]]:
    """Return the times of each side, which take turns of `block` calls, without those of the warm-up."""
    times: list[list[float]] = [[] for _ in sides]
    while len(times[-1]) < WARM_UP + turns:
        for side, own in zip(sides, times, strict=True):
            own += [side() for _ in range(block)]
    return [own[WARM_UP : WARM_UP + turns] for own in times]


def report(title: str, mine: list[float], theirs: list[float]) -> str:
    lines = (
        f"{f'{title}, milliseconds':<52}{'p50':>10}{'p95':>10}{'p99':>10}",
        line("form submitted → fragment at the socket", mine),
        line("stock RQ: enqueue a no-op → finished", theirs),
        f"{'ratio of the medians':<52}{statistics.median(mine) / statistics.median(theirs):>10.2f}",
    )
    return "\n".join(lines) + "\n"


def line(name: str, times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"{name:<52}" + "".join(f"{cuts[p - 1] * 1000:>10.1f}" for p in (50, 95, 99))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the time from a click to the result on the page.")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"how many of each kind ({TURNS})")
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), WORKERS="1", LOG_LEVEL="WARNING") as stack:
        backend = stack.backend()
        redis = connect_redis(backend.settings)
        worker = multiprocessing.get_context("spawn").Process(target=serve_stock, args=(backend.settings.redis,))
        worker.start()
        try:
            person = Person(stack.url, "bench@example.com")
            theirs = partial(stock, Queue("stock", connection=redis))
            with person.socket() as socket:
                socket.recv()
                single = in_turns((partial(ours_after_a_pause, person, socket), theirs), turns)
                following = in_turns((partial(ours, person, socket), theirs), turns, BLOCK)
        finally:
            worker.terminate()
            worker.join()
    sys.stdout.write(report(f"{turns} single submits, with pauses", *single))
    sys.stdout.write("\n" + report(f"{turns} submits back to back, without pauses", *following))


if __name__ == "__main__":
    main()
