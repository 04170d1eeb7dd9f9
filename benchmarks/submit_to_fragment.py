"""Measure the time from a click to the result on the page, compared with a no-op job of RQ on the same machine.

Ours is the whole path: an HTTP POST of the form, validation, the committed row, Redis, a worker, the committed result,
and the rendered fragment at the WebSocket. RQ's is its bare core: from `enqueue` of a no-op until the stock forking
`Worker` has marked the job as finished, polled in Redis every 0.2 ms. Both use the same Redis server and one worker.
They take turns, so that a noisy machine affects both alike. A pause between turns avoids the rate limit of ten frames
per second.
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
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


def serve_stock(url: str) -> None:
    worker: Worker = Worker(["stock"], connection=Redis.from_url(url))
    worker.work(logging_level="ERROR")


def ours(person: Person, socket: ClientConnection) -> float:
    time.sleep(BREATH_SECONDS)
    begun = time.perf_counter()
    run_id = person.submit("reverse_text", text="dumbwaiter")
    receive_until(socket, shows(run_id, "succeeded"))
    return time.perf_counter() - begun


def stock(queue: Queue) -> float:
    begun = time.perf_counter()
    job = queue.enqueue("benchmarks.noop.nothing")
    while job.get_status() is not JobStatus.FINISHED:
        time.sleep(LOOK_SECONDS)
    return time.perf_counter() - begun


def line(name: str, times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"{name:<44}" + "".join(f"{cuts[p - 1] * 1000:>10.1f}" for p in (50, 95, 99))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), WORKERS="1", LOG_LEVEL="WARNING") as stack:
        backend = stack.backend()
        redis = connect_redis(backend.settings)
        worker = multiprocessing.get_context("spawn").Process(target=serve_stock, args=(backend.settings.redis,))
        worker.start()
        try:
            person = Person(stack.url, "bench@example.com")
            queue = Queue("stock", connection=redis)
            with person.socket() as socket:
                socket.recv()
                turns = [(ours(person, socket), stock(queue)) for _ in range(WARM_UP + TURNS)][WARM_UP:]
        finally:
            worker.terminate()
            worker.join()
    mine, theirs = ([turn[side] for turn in turns] for side in (0, 1))
    ratio = statistics.median(mine) / statistics.median(theirs)
    report = (
        f"{f'{TURNS} sequential turns each, milliseconds':<44}{'p50':>10}{'p95':>10}{'p99':>10}",
        line("form submitted → fragment at the socket", mine),
        line("stock RQ: enqueue a no-op → finished", theirs),
        f"{'ratio of the medians':<44}{ratio:>10.2f}",
    )
    sys.stdout.write("\n".join(report) + "\n")


if __name__ == "__main__":
    main()
