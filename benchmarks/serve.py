"""`python -m benchmarks.serve ours|SimpleWorker|Worker DATA_DIR REDIS_URL [COUNTER]`: run one worker.

It prints `ready` and starts on a line from standard input, so that several workers can start together. Given a COUNTER
file, it appends a byte for every round trip to Redis, and exits when the queue is empty.
"""

import gc
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import rq
from redis import Redis
from redis.connection import AbstractConnection
from rq.worker import BaseWorker

STOCK = "stock"


def ours(data_dir: str, redis_url: str) -> BaseWorker:
    # Imported here because a larger process would make the forks of a stock worker slower.
    from benchmarks.template import start
    from config import Settings
    from jobs.authoring.catalog import Catalog
    from jobs.runs.backend import open_backend
    from jobs.worker import attempt
    from jobs.worker.template_process import TemplateProcess
    from jobs.worker.worker import RunWorker
    from tests.support.waiting import until

    template = TemplateProcess(start=start)
    until(template.look, "the template")
    settings = Settings.model_validate({"data_dir": Path(data_dir), "redis_url": redis_url})
    assert template.tasks
    backend = replace(open_backend(settings, Catalog({})), tasks=template.tasks)
    attempt.warm_up(backend)
    gc.collect()
    gc.freeze()  # as the supervisor does before it forks its workers
    return RunWorker(backend, f"bench.{os.getpid()}", template.ask_for_copy)


def stock(kind: str, redis_url: str) -> BaseWorker:
    worker: type[BaseWorker] = getattr(rq, kind)
    return worker([f"{STOCK}-{kind}"], connection=Redis.from_url(redis_url))


def count_trips(path: str) -> None:
    """Append a byte to the file for each packet that this process and its forks send to Redis."""
    counter = os.open(path, os.O_WRONLY | os.O_APPEND)
    send: Any = AbstractConnection.send_packed_command

    def counted(self: AbstractConnection, *arguments: Any, **options: Any) -> None:
        os.write(counter, b".")
        send(self, *arguments, **options)

    AbstractConnection.send_packed_command = counted  # type: ignore[method-assign]  # for all connections


def main() -> None:
    kind, data_dir, redis_url, *counter = sys.argv[1:]
    if counter:
        count_trips(counter[0])
    worker = ours(data_dir, redis_url) if kind.startswith("ours") else stock(kind, redis_url)
    print("ready", flush=True)
    sys.stdin.readline()
    worker.work(burst=bool(counter), logging_level="WARNING")


if __name__ == "__main__":
    main()
