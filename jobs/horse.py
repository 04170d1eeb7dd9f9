"""The work-horse: the process in which tasks run, one after another, so that imports and loaded models stay warm.

It is forked from a worker and knows neither database nor Redis: orders come in and outcomes go out over one pipe, and
the worker records them. Whatever a task does to its process, the worker lives; a horse that ended is replaced.
"""

import contextlib
import json
import os
import random
import signal
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from jobs.catalog import Catalog
from jobs.context import REPORTS_PER_SECOND
from jobs.outcome import Failure, Outcome, Success
from jobs.perform import perform
from jobs.process import die_with_parent
from jobs.reporter import Reporter

# A process is replaced after so many runs, so that what tasks leak does not grow for ever.
RUNS_PER_HORSE = 500
TICK_SECONDS = 1.0


class HorseEnded(Exception):
    """The process ended while it had an order; the message says how."""


class Horse:
    """A work-horse as its worker sees it."""

    def __init__(self, catalog: Catalog) -> None:
        self._orders = 0
        self._pipe, theirs = get_context("fork").Pipe()
        self._process = get_context("fork").Process(target=_work, args=(catalog, theirs, self._pipe, os.getpid()))
        self._process.start()
        theirs.close()

    @property
    def fit(self) -> bool:
        """Whether it can take another order."""
        return self._process.is_alive() and self._orders < RUNS_PER_HORSE

    def order(self, task: str, parameters: Mapping[str, Any]) -> None:
        """Start a task with the parameters of a run."""
        self._orders += 1
        with contextlib.suppress(OSError):  # a process that has just ended is noticed when it is listened to
            self._pipe.send_bytes(json.dumps([task, parameters]).encode())

    def listen(self, seconds: float) -> tuple[float | None, str] | Outcome | None:
        """What comes next: a progress report, the outcome, or None when nothing came in time. Raises HorseEnded."""
        ready = wait([self._pipe, self._process.sentinel], min(seconds, TICK_SECONDS))
        if self._pipe in ready or self._pipe.poll():
            try:
                return _read(self._pipe.recv_bytes())
            except (EOFError, OSError):
                self._process.join(TICK_SECONDS)
                self.kill()  # without its pipe it is of no use, even if it lives
        if not self._process.is_alive():
            code = self._process.exitcode or 0
            raise HorseEnded(f"signal {-code}" if code < 0 else f"exit code {code}")
        return None

    def kill(self) -> None:
        """End it and everything it started in its process group."""
        if self._process.pid and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()  # it may not have made its group yet
            self._process.join()


def _work(catalog: Catalog, pipe: Connection, parents: Connection, worker_pid: int) -> None:
    parents.close()
    os.setpgrp()
    # A process group of its own would let it outlive a killed worker, and run beside the next attempt.
    die_with_parent(worker_pid, signal.SIGKILL)
    # Platforms send SIGTERM to every process, and Ctrl-C reaches the whole terminal: the worker decides what happens
    # here. A handler, unlike ignoring, is not inherited by what a task starts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    random.seed()
    while True:
        try:
            task, parameters = json.loads(pipe.recv_bytes())
        except EOFError:
            return
        reporter = Reporter(lambda *report: pipe.send_bytes(json.dumps(report).encode()), REPORTS_PER_SECOND)
        outcome = perform(catalog, task, parameters, reporter)
        pipe.send_bytes(_written(outcome))


def _written(outcome: Outcome) -> bytes:
    if isinstance(outcome, Success):
        return json.dumps({"result": outcome.result}).encode()
    return json.dumps({"failure": [outcome.kind, outcome.message, outcome.traceback]}).encode()


def _read(message: bytes) -> tuple[float | None, str] | Outcome:
    content = json.loads(message)
    if isinstance(content, list):
        fraction, note = content
        return fraction, note
    return Failure(*content["failure"]) if "failure" in content else Success(content["result"])
