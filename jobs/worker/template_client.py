"""A worker's client of its template copy, the process that forks and kills the worker's children."""

import logging
import math
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jobs.worker.channel import BadMessage, Channel, channel_pair
from jobs.worker.child_link import DESCRIPTORS, Ends
from jobs.worker.execution import Execution

log = logging.getLogger(__name__)

# Abandon a template copy that has not answered for this long: a process that cannot be killed is blocking it.
ANSWER_SECONDS = 10.0
AGAIN_SECONDS = 0.2
LEAVE_SECONDS = 0.2


class TemplateClient:
    """The children of one worker: the next one, the one executing a run, and one for each task that keeps its process.

    `ask` makes the template fork a copy of itself that serves the other end of the given channel.
    """

    def __init__(self, ask: Callable[[socket.socket], None]) -> None:
        self._ask = ask
        self._channel: Channel | None = None
        self._not_before = -math.inf
        self._is_asked = False
        self._next: Execution | None = None
        self._kept: dict[str, Execution] = {}
        self._living: dict[int, Execution] = {}
        self._ending: set[int] = set()
        self._ended: dict[int, int] = {}
        self._is_sweeping = False

    def register(self, poll: "select.poll") -> None:
        """Register the channel's descriptor with a poll object."""
        if self._channel:
            poll.register(self._channel.fileno(), select.POLLIN)

    def take(self, keeper: str = "") -> Execution | None:
        """Return the child kept for the task `keeper`, or else a new one, or None if none is ready yet.

        No child is ready before every process left behind by the previous run is gone.
        """
        self.receive()
        if self._ending or self._is_sweeping:
            return None
        if kept := self._kept.pop(keeper, None):
            return kept
        child, self._next = self._next, None
        if child is None:
            self.prepare()
        return child

    def prepare(self) -> None:
        """Request the next child unless one is ready or requested, or AGAIN_SECONDS after one died too early."""
        if self._next or self._is_asked or time.monotonic() < self._not_before:
            return
        if self._channel is None:
            ours, theirs = channel_pair()
            ours.setblocking(False)
            self._channel = Channel(ours)
            with theirs:
                self._ask(theirs)
        self._is_asked = True
        self._send(fork=True)

    def exit_code(self, child: Execution) -> int | None:
        """Return a child's exit code, negative if a signal killed it, or None while it is running."""
        self.receive()
        return self._ended.get(child.pid)

    def is_living(self, child: Execution) -> bool:
        """Return whether a child is running, as far as the template copy has reported."""
        self.receive()
        return child.pid in self._living

    def is_lost(self, child: Execution) -> bool:
        """Return whether a child was lost with its template copy, so that its exit code is unknown."""
        return child.pid not in self._living and child.pid not in self._ended

    def kill(self, child: Execution) -> None:
        """Kill a child and every process that it has started."""
        self._send(kill=child.pid)

    def give_back(self, child: Execution, keeper: str = "") -> None:
        """Return a child whose run has ended: keep it for the next run of the task `keeper`, or let it end."""
        if child.pid not in self._living:
            self._ended.pop(child.pid, None)
            child.close()
        elif keeper:
            self._kept[keeper] = child
            self._is_sweeping = True
            self._send(sweep=True)
        else:
            self._ending.add(child.pid)

    def await_ends(self, patience: float = LEAVE_SECONDS) -> None:
        """Wait until every process left behind by ended runs is gone.

        A child that has not exited within `patience` seconds is killed. A template copy that has not confirmed the end
        within ANSWER_SECONDS is abandoned.
        """
        deadline, kill_at = time.monotonic() + ANSWER_SECONDS, time.monotonic() + patience
        while self._ending or self._is_sweeping:
            if time.monotonic() >= kill_at:
                kill_at = math.inf
                for pid in self._ending:
                    self._send(kill=pid)
            if time.monotonic() > deadline:
                log.error("could not kill a process of an ended run within %d s", ANSWER_SECONDS)
                self.close()
                return
            poll = select.poll()
            self.register(poll)
            poll.poll(1000 * max(0.0, min(kill_at, deadline) - time.monotonic()))
            self.receive()

    def close_and_wait(self) -> None:
        """Kill all children and return when they are gone, or when the template copy has not answered in time."""
        self._ending.update(self._living)
        self.await_ends(patience=0)
        self.close()

    def close(self) -> None:
        """Close the channel to the template copy, which then kills all of its descendants and exits."""
        if self._channel:
            self._channel.close()
            self._channel = None
        at_work = set(self._living) - self._ending - {child.pid for child in self._kept.values()}
        if self._next:
            at_work.discard(self._next.pid)
        for pid, child in self._living.items():
            if pid not in at_work:  # the caller that holds it closes it
                child.close()
        self._next, self._kept, self._living = None, {}, {}
        self._ending.clear()
        self._is_asked = self._is_sweeping = False

    def receive(self) -> None:
        """Process the messages received from the template copy, without blocking."""
        if self._channel is None:
            return
        try:
            # Read until nothing is left: unread messages may be followed by EOF, which means that the copy has ended
            # and its children with it.
            while messages := self._channel.receive():
                for message in messages:
                    self._handle(message.body, message.files)
        except (EOFError, BadMessage):
            log.warning("this worker's template copy has exited; requesting a new one")
            self.close()
            self._not_before = time.monotonic() + AGAIN_SECONDS

    def _handle(self, body: Any, files: list[int]) -> None:
        match body:
            case {"forked": int(pid), "mark": str(mark)} if len(files) == DESCRIPTORS:
                self._is_asked = False
                self._next = self._living[pid] = Execution(pid, Ends(files[0], files[1], files[2], files[3], mark))
            case {"ended": int(pid), "status": int(status)}:
                self._forget(pid, status)
            case {"swept": True}:
                self._is_sweeping = False

    def _forget(self, pid: int, status: int) -> None:
        child = self._living.pop(pid)
        if child is self._next:
            self._next = None
            self._ending.discard(pid)
            self._not_before = time.monotonic() + AGAIN_SECONDS
        elif pid in self._ending:
            self._ending.discard(pid)
        elif child in self._kept.values():
            self._kept = {name: kept for name, kept in self._kept.items() if kept is not child}
        else:  # it was executing a run: the caller that holds it asks for its exit code
            self._ended[pid] = status
            return
        child.close()

    def _send(self, **message: Any) -> None:
        with suppress(OSError):  # `receive` notices a closed channel
            if self._channel:
                self._channel.send(message)
