"""The process that executes a run: forked from the template in advance, and ended with the run.

It holds the imported tasks and nothing else: no connection, no application key, no thread. It communicates only with
its worker: orders, answers and messages pass over a channel, standard output and error over two pipes.
"""

import contextlib
import faulthandler
import io
import logging
import os
import random
import signal
import socket
import sys
from _signal import signal as set_handler  # type: ignore[import-not-found]  # what signal.signal wraps into enums
from typing import NoReturn

from pydantic import create_model

from jobs.authoring.catalog import Catalog
from jobs.authoring.task import Task
from jobs.task_user import TaskUser, become
from jobs.values.outcome import Failure, Outcome, Success
from jobs.worker import at_fork
from jobs.worker.channel import Channel
from jobs.worker.child_link import ChildLink, Ends, connected_ends
from jobs.worker.execute import Order, execute
from jobs.worker.kept_state import KeptState
from jobs.worker.process import die_with_parent, flush_c_output
from jobs.worker.streams import StandardStream

WARM_UP_RUNS = 20
LEVELS = ((logging.CRITICAL, "critical"), (logging.ERROR, "error"), (logging.WARNING, "warning"))


class LogHandler(logging.Handler):
    """A handler that sends records from INFO on to the worker, or writes them to standard error if there is none."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.link: ChildLink | None = None

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for least, name in LEVELS if record.levelno >= least), "info")
        try:
            text = self.format(record)
            if self.link:
                self.link.log(level, text)
            else:
                os.write(2, f"{level.upper()} {record.name}: {text}\n".encode("utf-8", "backslashreplace"))
        except Exception:
            self.handleError(record)


def prepare() -> LogHandler:
    """Set up signals, streams and logging before the fork, so that all children share the result.

    Each memory page that a child changes after the fork must be copied first.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    # The types call sys.__stdin__ and its like final; libraries write to them, so they must not lead elsewhere.
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, closefd=False))  # type: ignore[misc]  # typed as Final
    sys.stdout = sys.__stdout__ = StandardStream(1)  # type: ignore[misc]  # typed as Final
    sys.stderr = sys.__stderr__ = StandardStream(2)  # type: ignore[misc]  # typed as Final
    faulthandler.enable(file=2)
    root, handler = logging.getLogger(), LogHandler()
    root.handlers = [handler]  # what task files have set up for themselves would write everything twice
    root.setLevel(min(root.level or logging.INFO, logging.INFO))
    return handler


def warm_up() -> None:
    """Execute a no-op task repeatedly, so that Python specialises the code before a fork and children share it."""
    nothing = Catalog({"nothing": Task("nothing", "", "", lambda: None, create_model("nothing"))})
    for _ in range(WARM_UP_RUNS):
        ours, theirs = connected_ends()
        worker = Channel(socket.socket(fileno=ours.channel))
        link = ChildLink(theirs)
        worker.send({"order": list(Order("nothing"))})
        order = link.next_order()
        assert order
        link.finish(execute(nothing, order, link), is_fit=False)
        worker.receive()
        link.close()
        worker.close()
        for descriptor in (ours.out, ours.err, ours.state):
            os.close(descriptor)


def run_child(catalog: Catalog, ends: Ends, parent: int, handler: LogHandler, user: TaskUser | None = None) -> NoReturn:
    """Serve as a newly forked child: wait for an order, execute it and exit. A kept process waits for more orders.

    With a user, it does so as that user.
    """
    status = 1
    try:
        os.setsid()
        if user:
            for stream in (ends.out, ends.err):
                os.fchown(stream, user.uid, user.gid)  # so that programs may open /dev/stdout
            become(user)  # which undoes the next line, so it comes first
        die_with_parent(parent, signal.SIGKILL)
        at_fork.begin_child()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            set_handler(number, 0)
        set_handler(signal.SIGINT, signal.default_int_handler)
        os.dup2(ends.out, 1)
        os.dup2(ends.err, 2)
        _reseed()
        handler.link = link = ChildLink(ends)
        _serve(catalog, link)
        status = 0
    finally:
        # Exit without running the task's exit handlers or waiting for its threads.
        os._exit(status)


def _serve(catalog: Catalog, link: "ChildLink") -> None:
    kept = None
    while (order := link.next_order()) is not None:
        os.chdir(order.folder)
        task = catalog.get(order.task)
        if task and task.keep:
            kept = KeptState()
        outcome = execute(catalog, order, link)
        with contextlib.suppress(BaseException):  # a task may have closed or replaced them
            sys.stdout.flush()
            sys.stderr.flush()
        flush_c_output()
        if link.is_copied:
            _end_copy(outcome)
        link.finish(outcome, isinstance(outcome, Success) and kept is not None and kept.is_unchanged())
        if kept is None:
            return


def _end_copy(outcome: Outcome) -> NoReturn:
    """Exit a copy that the task forked and that returned from the task; only the original process reports the run."""
    if isinstance(outcome, Failure):
        words = outcome.traceback or f"{outcome.kind}: {outcome.message}\n"
        os.write(2, words.encode("utf-8", "backslashreplace"))
    os._exit(isinstance(outcome, Failure))


def _reseed() -> None:
    """Reseed the global random generators: children would otherwise inherit the same NumPy and PyTorch state."""
    random.seed()
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed()
    if torch := sys.modules.get("torch"):
        torch.seed()
