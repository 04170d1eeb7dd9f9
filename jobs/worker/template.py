"""The template process, started by the supervisor: it imports the tasks once and forks the processes that run them.

It holds nothing of the application: it has a filtered environment, opens no connection and starts no thread. It forks
one copy of itself for each worker, which runs as long as the worker keeps its channel open. That copy forks one child
for each run and kills whatever a run leaves behind. On Linux, every orphan among a copy's descendants is reparented to
the copy, even if it has moved to another session or process group. Any child that the copy does not know was therefore
left behind by the run that has just ended, and is killed.
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
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from jobs.authoring.catalog import Catalog, errors_that_stop, examine_catalog
from jobs.logs import begin_log
from jobs.task_user import TaskUser, find_task_user
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
MOST_CHILDREN_BYTES = 65_536  # if there are more, the next iteration finds them


def serve(catalog: Catalog, supervisor: Channel, requests: socket.socket, user: TaskUser | None = None) -> None:
    """Fork a copy for every worker that requests one, until every requesting end is closed.

    A request is one packet that carries the worker's channel as a file descriptor. The copies' children are the user's.
    """
    handler = _get_ready()
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
            copy = partial(WorkersCopy, catalog, handler, user)
            _be_copy(copy, files[0], supervisor, requests)
        copies.sweep()
        copies.ended.clear()


def _get_ready() -> LogHandler:
    """Set up this process, from which all others are forked."""
    adopt_orphans()
    # Platforms send SIGTERM to every process, and Ctrl-C reaches the whole terminal. This process must outlive the
    # workers, so it and its copies ignore both signals.
    handler = prepare()
    if threading.active_count() > 1:
        log.warning("a task file starts threads on import; they will not exist in the processes that execute runs")
        at_fork.register()
    limits.die_first()  # children inherit this; among them, Linux kills the largest first
    warm_up()
    gc.collect()
    gc.freeze()  # otherwise a collection in a child would copy every page that it visits
    return handler


def _be_copy(
    make: "Callable[[Channel], WorkersCopy]", descriptor: int, supervisor: Channel, requests: socket.socket
) -> None:
    status = 1
    try:
        supervisor.close()
        requests.close()
        adopt_orphans()
        make(Channel(socket.socket(fileno=descriptor))).run()
        status = 0
    finally:
        os._exit(status)


class Children:
    """The children of this process: those that it forked and tracks, and orphans that were reparented to it."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self.ended: dict[int, int] = {}
        """Exit codes, by process id, of tracked children that have exited and were not reported yet."""

    def fork(self) -> int:
        """Fork and track the child. Return its process id, or 0 in the child."""
        pid = os.fork()
        if pid:
            self._known.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """Kill a tracked child and its process group; its other descendants become orphans."""
        if pid in self._known:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)  # it may not have created its group yet

    def kill_all(self) -> None:
        for pid in list(self._known):
            self.kill(pid)
        self._known.clear()
        self.sweep()

    def reap(self) -> None:
        """Collect the exit codes of children that have exited."""
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
                if not ADOPTS_ORPHANS:  # then killing the group is the only way to reach what it left behind
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)

    def sweep(self) -> None:
        """Kill untracked children and their descendants until none is left, for at most SWEEP_SECONDS."""
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

    def __init__(self, catalog: Catalog, handler: LogHandler, user: TaskUser | None, worker: Channel) -> None:
        self._catalog = catalog
        self._handler = handler
        self._user = user
        self._worker = worker
        self._children = Children()
        self._wakes, self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Serve the worker's requests and report children that exit, until the worker closes its channel."""
        # With a SIGCHLD handler, Python writes to the wakeup pipe, so that the poll below returns when a child exits.
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
                self._send_exits()
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
            run_child(self._catalog, theirs, parent, self._handler, self._user)
        theirs.close()
        self._worker.send({"forked": pid, "mark": ours.mark}, ours.descriptors)

    def _send_exits(self) -> None:
        self._children.reap()
        if self._children.ended:
            self._children.sweep()
            for pid in list(self._children.ended):
                self._worker.send({"ended": pid, "status": self._children.ended.pop(pid)})


def children_of_this_process() -> Iterator[int]:
    """Yield the process ids of this process's children, as far as /proc lists them (Linux)."""
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
    """Serve the tasks in some folders on two sockets: the supervisor's and the one for requests.

    The arguments are the sockets' descriptors, the name of the user that executes runs, which may be empty, and the
    folders. Errors of single files are logged. If nothing can be served, sends the errors to the supervisor and exits
    with status 1.
    """
    supervisor, requests = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    begin_log("WARNING")
    channel = Channel(supervisor)
    catalog, errors = examine_catalog([Path(folder) for folder in sys.argv[4:]])
    if stopping := errors_that_stop(catalog, errors):
        channel.send({"error": "\n".join(map(str, stopping))})
        sys.exit(1)
    for error in errors:
        log.warning("%s", error)
    serve(catalog, channel, requests, find_task_user(sys.argv[3]))
