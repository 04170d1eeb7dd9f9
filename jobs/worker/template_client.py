"""A worker's line to its copy of the template: it takes children from there, and has them ended."""

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

# After which a copy of the template that does not answer is given up: a process that cannot be killed holds it up.
ANSWER_SECONDS = 10.0
AGAIN_SECONDS = 0.2
LEAVE_SECONDS = 0.2


class TemplateClient:
    """The children of one worker: the next one, the one at work, and one for each task that keeps its own.

    `ask` has the template make a copy of itself, which serves the other end of the channel that it is given.
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
        """Have a poll wait for what this hears."""
        if self._channel:
            poll.register(self._channel.fileno(), select.POLLIN)

    def take(self, keeper: str = "") -> Execution | None:
        """Return a child for a run, or None while there is none: the one kept for the task `keeper`, or a new one.

        There is none before everything that the run before has left behind is gone.
        """
        self.hear()
        if self._ending or self._is_sweeping:
            return None
        if kept := self._kept.pop(keeper, None):
            return kept
        child, self._next = self._next, None
        if child is None:
            self.prepare()
        return child

    def prepare(self) -> None:
        """Ask for the next child, if none is there or on its way; where they end at once not more often than that."""
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
        """Return how a child has ended, or None while it lives. The number is negative where a signal ended it."""
        self.hear()
        return self._ended.get(child.pid)

    def is_living(self, child: Execution) -> bool:
        """Return whether a child has not ended yet, as far as anybody knows."""
        self.hear()
        return child.pid in self._living

    def is_lost(self, child: Execution) -> bool:
        """Return whether nobody can tell what became of a child: its copy of the template has ended, and it with it."""
        return child.pid not in self._living and child.pid not in self._ended

    def kill(self, child: Execution) -> None:
        """Have a child killed, and all that it has started."""
        self._send(kill=child.pid)

    def give_back(self, child: Execution, keeper: str = "") -> None:
        """Let go of a child whose run has ended: keep it for its task's next run, or have it ended."""
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
        """Wait until all that ended runs have left behind is gone.

        A child leaves by itself; one that has not done so in `patience` seconds is killed. A copy of the template that
        does not say what became of it is given up.
        """
        deadline, kill_at = time.monotonic() + ANSWER_SECONDS, time.monotonic() + patience
        while self._ending or self._is_sweeping:
            if time.monotonic() >= kill_at:
                kill_at = math.inf
                for pid in self._ending:
                    self._send(kill=pid)
            if time.monotonic() > deadline:
                log.error("a process of a run that has ended could not be ended within %d s", ANSWER_SECONDS)
                self.close()
                return
            poll = select.poll()
            self.register(poll)
            poll.poll(1000 * max(0.0, min(kill_at, deadline) - time.monotonic()))
            self.hear()

    def close_and_wait(self) -> None:
        """End all children, and return when they are gone, or nobody can tell."""
        self._ending.update(self._living)
        self.await_ends(patience=0)
        self.close()

    def close(self) -> None:
        """Let go of the copy of the template, which then ends all that is beneath it."""
        if self._channel:
            self._channel.close()
            self._channel = None
        at_work = set(self._living) - self._ending - {child.pid for child in self._kept.values()}
        if self._next:
            at_work.discard(self._next.pid)
        for pid, child in self._living.items():
            if pid not in at_work:  # that is closed by whoever has it
                child.close()
        self._next, self._kept, self._living = None, {}, {}
        self._ending.clear()
        self._is_asked = self._is_sweeping = False

    def hear(self) -> None:
        """Take note of what the copy of the template tells; it never waits."""
        if self._channel is None:
            return
        try:
            # All of it: behind messages that nobody has heard yet may be the end of the copy, and of its children.
            while messages := self._channel.receive():
                for message in messages:
                    self._understand(message.body, message.files)
        except (EOFError, BadMessage):
            log.warning("the process that forks for this worker has ended; another one takes its place")
            self.close()
            self._not_before = time.monotonic() + AGAIN_SECONDS

    def _understand(self, body: Any, files: list[int]) -> None:
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
        else:  # it was at work: whoever has it asks for this
            self._ended[pid] = status
            return
        child.close()

    def _send(self, **message: Any) -> None:
        with suppress(OSError):  # what has ended is noticed when it is heard
            if self._channel:
                self._channel.send(message)
