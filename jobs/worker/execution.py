"""A child as its worker sees it: an order goes in, and everything that the run puts out comes back, without secrets."""

import logging
import os
import select
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jobs.runs.output_entries import Entry
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from jobs.worker.channel import BadMessage, Channel, Message, socket_of
from jobs.worker.child_link import Ends
from jobs.worker.execute import Order
from jobs.worker.redaction import Redactor
from jobs.worker.shared_state import Progress, SharedState
from jobs.worker.transcript import Transcript

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
READS_FOR_ALL = 16
LONGEST_KIND = 100
LONGEST_NOTE = 200
LONGEST_MESSAGE = 10_000
LONGEST_TRACEBACK = 20_000
NOT_UNDERSTOOD = Failure("ProcessKilled", "The process sent what cannot be understood.")
CUT = f" … (cut after {LONGEST_MESSAGE:,} characters)"


@dataclass(frozen=True)
class Emitted:
    """A partial result, which is plain JSON."""

    value: Any


@dataclass(frozen=True)
class Save:
    """A checkpoint to keep; the task waits for an answer."""

    value: Any


@dataclass(frozen=True)
class Keep:
    """A file to keep, from `start` on; the task waits for an answer. The descriptor is the receiver's to close."""

    file: int
    start: int
    name: str
    media_type: str


@dataclass(frozen=True)
class Open:
    """A file of the run's parameters to open; the task waits for an answer."""

    sha256: str


@dataclass(frozen=True)
class Ended:
    """The run's outcome, and whether a process that is kept can take another run."""

    outcome: Outcome
    is_fit: bool


Received = Entry | Emitted | Save | Keep | Open | Progress | Ended


class Execution:
    """One child, and the run that it executes."""

    def __init__(self, pid: int, ends: Ends) -> None:
        end = socket_of(ends.channel)
        end.setblocking(False)
        self.pid = pid
        self._channel = Channel(end)
        self._mark = b"\x1e" + ends.mark.encode() + b"\x1e"
        self._state = SharedState(ends.state)
        os.close(ends.state)
        self._pipes = {ends.out: "out", ends.err: "err"}
        for pipe in self._pipes:
            os.set_blocking(pipe, False)
        self._readable = {self._channel.fileno(), *self._pipes}
        self._heard: list[Received] = []
        self._has_read = False
        self._begin({})

    def _begin(self, secrets: Mapping[str, str]) -> None:
        self._redactor = Redactor(secrets)
        self._transcript = Transcript(self._mark, self._redactor, self._heard.append)

    def order(self, order: Order) -> None:
        """Have the child execute a run."""
        self._begin({**order.secrets, **order.opened})
        self._state.reset()
        self._send({"order": list(order)})

    @property
    def started(self) -> bool:
        """Whether the order had reached its task."""
        return self._state.started

    def ask_to_stop(self) -> None:
        """Let the task know, when it next looks, that its run is to end."""
        self._state.request_stop()

    def answer(self, answer: Any, *files: int) -> None:
        """Answer a Save, a Keep or an Open; the files stay the caller's."""
        self._send({"answer": answer}, *map(os.dup, files))

    # --- waiting

    def register(self, poll: "select.poll") -> None:
        """Have a poll wait for what this hears."""
        for descriptor in self._readable:
            poll.register(descriptor, select.POLLIN)
        if not self._channel.is_flushed:
            poll.register(self._channel.fileno(), select.POLLIN | select.POLLOUT)

    def hear(self) -> list[Received]:
        """Return what has come; it never waits. What was written before something else was sent comes before it."""
        with suppress(OSError):
            self._channel.flush()
        messages = self._received()
        has_heard = bool(messages) or self._channel.has_begun
        self._has_read = has_heard | any([self._read(pipe) for pipe in list(self._pipes)])
        for message in messages:
            try:
                self._heard.extend(self._understood(message))
            except RecursionError:  # no task's value is so deep: a process that has taken to writing itself
                self._heard.append(Ended(NOT_UNDERSTOOD, is_fit=False))
        heard, self._heard[:] = list(self._heard), []
        return heard

    def hear_the_rest(self) -> list[Received]:
        """Return what has come from a process that writes no more, and the lines that have no end."""
        # A pipe holds no more than what these take; what others write meanwhile is not waited for.
        heard = self.hear()
        for _ in range(READS_FOR_ALL):
            if not self._has_read:
                break
            heard += self.hear()
        self._transcript.close()
        heard += self._heard
        self._heard.clear()
        return heard

    def unfinished(self) -> list[Entry]:
        """Return the lines that were begun and not ended."""
        return self._transcript.unfinished()

    def progress(self) -> Progress | None:
        """Return how far the run has come; None while that is being written."""
        if progress := self._state.read_progress():
            return Progress(progress.fraction, self._redactor.cut(progress.note, LONGEST_NOTE))
        return None

    def close(self) -> None:
        self._channel.close()
        self._state.close()
        for pipe in self._pipes:
            os.close(pipe)
        self._pipes.clear()

    def _send(self, body: Any, *files: int) -> None:
        with suppress(OSError):  # that a process has ended is noticed elsewhere
            self._channel.send(body, files)

    def _received(self) -> list[Message]:
        if self._channel.fileno() not in self._readable:
            return []
        try:
            return self._channel.receive()
        except EOFError:
            self._readable.discard(self._channel.fileno())
            return []
        except BadMessage as error:
            self._readable.discard(self._channel.fileno())
            log.warning("a run's process sent what is no message (%s)", error)
            return [Message({"fit": False}, [])]

    def _read(self, pipe: int) -> bool:
        """Read from a pipe what is there, up to READ_BYTES; return whether there was something."""
        try:
            data = os.read(pipe, READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._transcript.feed(self._pipes[pipe], data)
            return True
        self._readable.discard(pipe)
        del self._pipes[pipe]
        os.close(pipe)
        return False

    # --- messages

    def _understood(self, message: Message) -> Iterator[Received]:
        match message.body:
            case {"progress": True}:
                yield Progress(None, "")
            case {"log": [str(level), str(text)]}:
                self._transcript.log(level, text)
            case {"emit": value}:
                yield Emitted(self._redactor.value(value))
            case {"save": value}:
                yield Save(self._redactor.value(value))
            case {"keep": [int(start), str(name), str(media_type)]} if len(message.files) == 1:
                yield Keep(message.files[0], start, self._redactor.text(name), self._redactor.text(media_type))
            case {"open": str(sha256)}:
                yield Open(sha256)
            case {"fit": fit}:
                yield Ended(self._outcome(message.body), fit is True)

    def _outcome(self, message: Mapping[str, Any]) -> Outcome:
        match message:
            case {"result": result}:
                return Success(self._redactor.value(result))
            case {"failure": {"kind": str(kind), "message": str(words), "traceback": traceback, "final": final}}:
                return Failure(
                    self._redactor.cut(kind, LONGEST_KIND),
                    self._redactor.cut(words, LONGEST_MESSAGE, CUT),
                    self._last_lines(traceback) if isinstance(traceback, str) and traceback else None,
                    final=final is True,
                )
            case {"stopped": True}:
                return Stopped()
        return NOT_UNDERSTOOD

    def _last_lines(self, traceback: str) -> str:
        text = self._redactor.text(traceback)
        return text if len(text) <= LONGEST_TRACEBACK else text[-LONGEST_TRACEBACK:].partition("\n")[2]
