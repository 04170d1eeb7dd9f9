"""A worker's handle on a child process: send an order, receive the run's output with secrets redacted."""

import logging
import os
import select
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jobs.runs.output_entries import Entry
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from jobs.worker.channel import BadMessage, Channel, Message, socket_of
from jobs.worker.child_link import Ends
from jobs.worker.execute import Order
from jobs.worker.redaction import Redactor
from jobs.worker.shared_state import ProgressReport, SharedState
from jobs.worker.transcript import Transcript

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
READS_FOR_ALL = 16
LONGEST_KIND = 100
LONGEST_PROGRESS_NOTE = 200
LONGEST_NOTE = 500
MOST_NOTES = 30
LONGEST_MESSAGE = 10_000
LONGEST_TRACEBACK = 20_000
NOT_UNDERSTOOD = Failure("ProcessKilled", "The task's process sent an invalid message.")
CUT = f" … (cut after {LONGEST_MESSAGE:,} characters)"


@dataclass(frozen=True)
class Emitted:
    """A partial result, as plain JSON."""

    value: Any


@dataclass(frozen=True)
class Save:
    """A request to store a checkpoint; the task waits for the answer."""

    value: Any


@dataclass(frozen=True)
class Keep:
    """A request to store a file from the offset `start` on; the task waits for the answer.

    The receiver must close the descriptor `file`.
    """

    file: int
    start: int
    name: str
    media_type: str


@dataclass(frozen=True)
class Open:
    """A request to open a file named in the run's parameters; the task waits for the answer."""

    sha256: str


@dataclass(frozen=True)
class Ended:
    """The run's outcome, and whether a kept process is fit for another run."""

    outcome: Outcome
    is_fit: bool


ChildEvent = Entry | Emitted | Save | Keep | Open | ProgressReport | Ended


class Execution:
    """A child process and the run that it executes."""

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
        self._events: list[ChildEvent] = []
        self._has_read = False
        self._begin(())

    def _begin(self, secrets: Collection[str]) -> None:
        self._redactor = Redactor(secrets)
        self._transcript = Transcript(self._mark, self._redactor, self._events.append)

    def order(self, order: Order) -> None:
        """Send the child a run to execute."""
        self._begin([*order.secrets.values(), *order.hidden])
        self._state.reset()
        self._send({"order": list(order)})

    @property
    def started(self) -> bool:
        """Return whether the child has started to call the task."""
        return self._state.started

    def ask_to_stop(self) -> None:
        """Set the stop flag, which the task reads when it next checks."""
        self._state.request_stop()

    def answer(self, answer: Any, *files: int) -> None:
        """Answer a Save, Keep or Open request. The descriptors are duplicated, so the caller still owns its own."""
        self._send({"answer": answer}, *map(os.dup, files))

    # --- waiting

    def register(self, poll: "select.poll") -> None:
        """Register the channel and the output pipes with a poll object."""
        for descriptor in self._readable:
            poll.register(descriptor, select.POLLIN)
        if not self._channel.is_flushed:
            poll.register(self._channel.fileno(), select.POLLIN | select.POLLOUT)

    def receive(self) -> list[ChildEvent]:
        """Return what has been received, without blocking. Output written before a message was sent comes before it."""
        with suppress(OSError):
            self._channel.flush()
        messages = self._received()
        has_received = bool(messages) or self._channel.has_begun
        self._has_read = has_received | any([self._read(pipe) for pipe in list(self._pipes)])
        for message in messages:
            try:
                self._events.extend(self._events_of(message))
            except RecursionError:  # no valid value nests this deeply: task code has written to the channel itself
                self._events.append(Ended(NOT_UNDERSTOOD, is_fit=False))
        events, self._events[:] = list(self._events), []
        return events

    def drain(self) -> list[ChildEvent]:
        """Return everything left from a process that has stopped writing, including unterminated lines."""
        # READS_FOR_ALL reads drain a full pipe. Reading until it is empty could take forever if others keep writing.
        events = self.receive()
        for _ in range(READS_FOR_ALL):
            if not self._has_read:
                break
            events += self.receive()
        self._transcript.close()
        events += self._events
        self._events.clear()
        return events

    def unfinished(self) -> list[Entry]:
        """Return the lines that have no line ending yet."""
        return self._transcript.unfinished()

    def progress(self) -> ProgressReport | None:
        """Return the latest progress, or None while the child is writing it."""
        if progress := self._state.read_progress():
            return ProgressReport(progress.fraction, self._redactor.cut(progress.note, LONGEST_PROGRESS_NOTE))
        return None

    def close(self) -> None:
        self._channel.close()
        self._state.close()
        for pipe in self._pipes:
            os.close(pipe)
        self._pipes.clear()

    def _send(self, body: Any, *files: int) -> None:
        with suppress(OSError):  # the monitor notices a process that has exited
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
            log.warning("a task's process sent an invalid message (%s)", error)
            return [Message({"fit": False}, [])]

    def _read(self, pipe: int) -> bool:
        """Read up to READ_BYTES from a pipe without blocking. Return whether there was any data."""
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

    def _events_of(self, message: Message) -> Iterator[ChildEvent]:
        match message.body:
            case {"progress": True}:
                yield ProgressReport(None, "")
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
                return Success(self._redactor.value(result), self._notes(message.get("notes")))
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

    def _notes(self, notes: Any) -> tuple[str, ...]:
        texts = [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []
        return tuple(self._redactor.cut(text, LONGEST_NOTE, "…") for text in texts[:MOST_NOTES])

    def _last_lines(self, traceback: str) -> str:
        text = self._redactor.text(traceback)
        return text if len(text) <= LONGEST_TRACEBACK else text[-LONGEST_TRACEBACK:].partition("\n")[2]
