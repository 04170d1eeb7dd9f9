"""The template process: it imports the tasks once, and forks. It is started by the supervisor.

Nothing of the application's is in it: it is started with an environment of its own, connects to nothing and starts no
thread. It forks one copy of itself for each worker, which lives as long as the worker keeps its channel open; and that
copy forks the children, one for each run, and ends what they leave behind. On Linux every process that loses its parent
beneath such a copy becomes the copy's own child, whatever session or group it has fled to. What is there beside the
children it knows is therefore of the run that has just ended, and it kills that.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from jobs.authoring.catalog import Catalog, load_catalog
from jobs.authoring.task import TaskError
from jobs.worker import at_fork, limits
from jobs.worker.channel import Channel
from jobs.worker.child import LogHandler, prepare, run_child, warm_up
from jobs.worker.child_link import connected_ends
from jobs.worker.process import ADOPTS_ORPHANS, adopt_orphans

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 5.0
SHORTEST_WAIT_SECONDS = 0.0005
LONGEST_WAIT_SECONDS = 0.02
MOST_CHILDREN_BYTES = 65_536  # those that are left out are found when these are gone


def serve(catalog: Catalog, supervisor: Channel, requests: socket.socket) -> None:
    """Fork a copy for every worker that asks for one, until nobody is left who could.

    A request is one packet with the worker's channel beside it.
    """
    adopt_orphans()
    # Platforms send SIGTERM to every process, and Ctrl-C reaches the whole terminal: workers decide when it ends. So
    # both are ignored here, and in its copies.
    handler = prepare()
    if threading.active_count() > 1:
        log.warning("a task file starts threads when it is imported: runs will not have them")
        at_fork.register()
    limits.die_first()  # its children are as it is, and of them the largest goes first
    warm_up()
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page that it looks at
    supervisor.send({"tasks": [asdict(task.summary) for task in catalog.values()]})
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    copies = Children()
    while True:
        if poll.poll(LOOK_SECONDS * 1000):
            _data, files, _flags, _address = socket.recv_fds(requests, 1, 1)
            if not files:
                return
            if copies.fork():
                os.close(files[0])
                continue
            _be_copy(catalog, handler, files[0], supervisor, requests)
        copies.sweep()
        copies.ended.clear()


def _be_copy(
    catalog: Catalog, handler: LogHandler, descriptor: int, supervisor: Channel, requests: socket.socket
) -> None:
    status = 1
    try:
        supervisor.close()
        requests.close()
        adopt_orphans()
        WorkersCopy(catalog, handler, Channel(socket.socket(fileno=descriptor))).run()
        status = 0
    finally:
        os._exit(status)


class Children:
    """The children of a process: those that it has forked and knows, and those that have become its own."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self.ended: dict[int, int] = {}
        """The exit codes of those known that have ended and were not told of yet."""

    def fork(self) -> int:
        """Fork: 0 in the child."""
        pid = os.fork()
        if pid:
            self._known.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """Kill a child that is known and its process group; everything else beneath it becomes an orphan."""
        if pid in self._known:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)  # it may not have made its group yet

    def kill_all(self) -> None:
        for pid in list(self._known):
            self.kill(pid)
        self._known.clear()
        self.sweep()

    def reap(self) -> None:
        """Take note of the children that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._known:
                self._known.remove(pid)
                self.ended[pid] = os.waitstatus_to_exitcode(status)
                if not ADOPTS_ORPHANS:  # then this is all that finds what it has left behind
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)

    def sweep(self) -> None:
        """Kill the children that are not known, and theirs, until there are none, or for SWEEP_SECONDS."""
        deadline, wait = time.monotonic() + SWEEP_SECONDS, SHORTEST_WAIT_SECONDS
        while True:
            self.reap()
            orphans = [pid for pid in children_of_this_process() if pid not in self._known]
            if not orphans or time.monotonic() > deadline:
                return
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)


class WorkersCopy:
    """The copy of the template that forks one worker's children."""

    def __init__(self, catalog: Catalog, handler: LogHandler, worker: Channel) -> None:
        self._catalog = catalog
        self._handler = handler
        self._worker = worker
        self._children = Children()
        self._wakes, self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Do what the worker asks, and tell it of children that end, until its channel is closed."""
        # A signal's handler has Python write to the pipe, so that the wait below ends when a child does.
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        for descriptor in (self._worker.fileno(), self._wakes):
            poll.register(descriptor, select.POLLIN)
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                ready = dict(poll.poll(LOOK_SECONDS * 1000))
                if self._wakes in ready:
                    os.read(self._wakes, 4096)
                self._tell_ends()
                if self._worker.fileno() in ready:
                    for message in self._worker.receive():
                        self._do(**message.body)
        self._children.kill_all()

    def _do(self, fork: bool = False, kill: int = 0, sweep: bool = False) -> None:
        if fork:
            self._fork()
        if kill:
            self._children.kill(kill)
        if sweep:
            self._children.sweep()
            self._worker.send({"swept": True})

    def _fork(self) -> None:
        ours, theirs = connected_ends()
        parent = os.getpid()
        pid = self._children.fork()
        if not pid:
            self._worker.close()
            ours.close()
            for descriptor in (self._wakes, self._wakeup):
                os.close(descriptor)
            run_child(self._catalog, theirs, parent, self._handler)
        theirs.close()
        self._worker.send({"forked": pid, "mark": ours.mark}, ours.descriptors)

    def _tell_ends(self) -> None:
        self._children.reap()
        if self._children.ended:
            self._children.sweep()
            for pid in list(self._children.ended):
                self._worker.send({"ended": pid, "status": self._children.ended.pop(pid)})


def children_of_this_process() -> Iterator[int]:
    """Give the process ids of this process's children, where the system tells (Linux)."""
    me = os.getpid()
    with contextlib.suppress(OSError):
        file = os.open(f"/proc/self/task/{me}/children", os.O_RDONLY)
        children = os.read(file, MOST_CHILDREN_BYTES)
        os.close(file)
        yield from map(int, children.split())
        return
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == me:
                yield int(status.parent.name)


def main() -> None:
    """Serve the tasks on the two sockets whose descriptors are given: the supervisor's, and the one for requests."""
    supervisor, requests = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    channel = Channel(supervisor)
    try:
        catalog = load_catalog()
    except TaskError as error:
        channel.send({"error": str(error)})
        sys.exit(1)
    serve(catalog, channel, requests)
