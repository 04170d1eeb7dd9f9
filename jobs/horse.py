"""The work-horse: the process in which tasks run, one after another, so that imports and loaded models stay warm.

It is forked from a worker and knows neither database nor Redis: orders come in and outcomes go out over one pipe, and
the worker records them; only files go to their store from here. Whatever a task does to its process, the worker lives;
a horse that ended is replaced.
"""

import contextlib
import json
import mmap
import os
import random
import select
import signal
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from jobs import descriptors, memory
from jobs.batch import Batch, Entry, Kind
from jobs.catalog import Catalog
from jobs.link import FLAGS, STARTED, STOP, PipeLink
from jobs.outcome import Failure, Outcome, Stopped, Success
from jobs.perform import Order, perform
from jobs.process import die_with_parent
from jobs.store import FileStore, RunFile

# A process is replaced after so many runs, so that what tasks leak does not grow for ever.
RUNS_PER_HORSE = 500
TICK_SECONDS = 1.0


class HorseEnded(Exception):
    """The process ended; the message says how, and `started` whether the order had reached its task by then."""

    def __init__(self, how: str, started: bool) -> None:
        super().__init__(how)
        self.started = started


@dataclass(frozen=True)
class Report:
    """A running task tells how far it has come."""

    fraction: float | None
    note: str


@dataclass(frozen=True)
class Save:
    """A running task wants this kept, and waits for an answer."""

    value: Any


Heard = Report | Save | Batch | RunFile | Outcome


class Horse:
    """A work-horse as its worker sees it."""

    def __init__(self, catalog: Catalog, most_bytes: int, files: FileStore) -> None:
        self._orders = 0
        self._most_bytes = most_bytes
        self._group_ended = False
        self._flags = mmap.mmap(-1, FLAGS)
        self._pipe, theirs = get_context("fork").Pipe()
        self._process = get_context("fork").Process(
            target=_work, args=(catalog, files, (theirs, self._pipe), self._flags, os.getpid())
        )
        self._process.start()
        theirs.close()
        self._ready = select.poll()
        for thing in (self._pipe.fileno(), self._process.sentinel):
            self._ready.register(thing, select.POLLIN)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def fit(self) -> bool:
        """Whether it can take another order."""
        fresh = self._orders < RUNS_PER_HORSE and memory.resident_bytes(self.pid) <= self._most_bytes
        return fresh and not self._over()

    def order(self, order: Order) -> None:
        """Start a task with the parameters of a run."""
        self._orders += 1
        self._flags[:] = bytes(FLAGS)
        self._send(vars(order))

    def ask_to_stop(self) -> None:
        """Let the task know, when it next looks, that its run is to end."""
        self._flags[STOP] = 1

    def saved(self, kept: bool) -> None:
        """Answer a Save."""
        self._send(kept)

    def listen(self, seconds: float, bell: int | None = None) -> Heard | None:
        """What comes next, or None when nothing came in time or `bell`, a file descriptor, has become readable.

        Raises HorseEnded.
        """
        if bell is not None:
            self._ready.register(bell, select.POLLIN)
        ready = dict(self._ready.poll(1000 * max(0.0, min(seconds, TICK_SECONDS))))
        if self._pipe.fileno() in ready or self._pipe.poll():
            try:
                return self._hear(json.loads(self._pipe.recv_bytes()))
            except (EOFError, OSError):
                if not wait([self._process.sentinel], TICK_SECONDS):
                    self.kill()  # without its pipe it is of no use, even if it lives
        if self._over():
            code = self._process.exitcode or 0
            raise HorseEnded(f"signal {-code}" if code < 0 else f"exit code {code}", bool(self._flags[STARTED]))
        return None

    def kill(self) -> None:
        """End it and everything it started in its process group."""
        if not self._over():
            self._end_group()
            self._process.kill()  # it may not have made its group yet
            self._process.join()

    def _over(self) -> bool:
        """Whether the process has ended, however; what a task started, and left behind, ends with it.

        That is why the process is asked: its pipe and its sentinel stay open as long as such a child lives.
        """
        if self._process.is_alive():
            return False
        if not self._group_ended:
            self._end_group()
        return True

    def _end_group(self) -> None:
        """End what a task started, once: after that the group's number may become somebody else's."""
        self._group_ended = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _send(self, message: Any) -> None:
        with contextlib.suppress(OSError):  # a process that has just ended is noticed when it is listened to
            self._pipe.send_bytes(json.dumps(message).encode())

    def _hear(self, message: dict[str, Any]) -> Heard | None:
        match message:
            case {"progress": [fraction, note]}:
                return Report(fraction, note)
            case {"output": {"kind": kind, "entries": entries, "size": size, "dropped": dropped}}:
                return Batch(Kind(kind), [Entry(*entry) for entry in entries], size, dropped)
            case {"file": file}:
                return RunFile(*file)
            case {"checkpoint": value}:
                return Save(value)
            case {"result": result}:
                return Success(result)
            case {"failure": failure}:
                return Failure(**failure)
            case {"stopped": True}:
                return Stopped()
        return None


def _work(
    catalog: Catalog, files: FileStore, pipes: tuple[Connection, Connection], flags: mmap.mmap, worker_pid: int
) -> None:
    pipe, parents = pipes
    parents.close()
    os.setpgrp()
    # A process group of its own would let it outlive a killed worker, and run beside the next attempt.
    die_with_parent(worker_pid, signal.SIGKILL)
    memory.die_first()
    # Platforms send SIGTERM to every process, and Ctrl-C reaches the whole terminal: the worker decides what happens
    # here. A handler, unlike ignoring, is not inherited by what a task starts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    random.seed()
    while True:
        try:
            order = Order(**json.loads(pipe.recv_bytes()))
        except EOFError:
            return
        flags[STARTED] = 1
        link = PipeLink(pipe, flags, files)
        _tell(link, perform(catalog, order, link))
        if descriptors.are_lost():
            os._exit(0)


def _tell(link: PipeLink, outcome: Outcome) -> None:
    if isinstance(outcome, Success):
        link.send(result=outcome.result)
    elif isinstance(outcome, Failure):
        link.send(failure=asdict(outcome))
    else:
        link.send(stopped=True)
