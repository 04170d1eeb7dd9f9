"""The connection between a child and its worker, and the child's end of it."""

import contextlib
import io
import os
import secrets
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO, NamedTuple

from jobs.authoring.context import StopRun
from jobs.values.outcome import Failure, Outcome, Success
from jobs.values.stored_file import StoreAway, StoredFile
from jobs.worker.channel import Channel, channel_pair, socket_of
from jobs.worker.execute import Order
from jobs.worker.shared_state import SharedState, shared_file

MARK_BYTES = 16
DESCRIPTORS = 4


class Ends(NamedTuple):
    """One side's descriptors of the connection, and the mark that separates logging from output."""

    channel: int
    out: int
    err: int
    state: int
    mark: str

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)

    @property
    def descriptors(self) -> tuple[int, int, int, int]:
        return self.channel, self.out, self.err, self.state


def connected_ends() -> tuple[Ends, Ends]:
    """Return the worker's ends and the child's."""
    ours, theirs = channel_pair()
    (out_reads, out_writes), (err_reads, err_writes) = os.pipe(), os.pipe()
    state, mark = shared_file(), secrets.token_hex(MARK_BYTES)
    worker = Ends(ours.detach(), out_reads, err_reads, state, mark)
    return worker, Ends(theirs.detach(), out_writes, err_writes, os.dup(state), mark)


class ChildLink:
    """The child's connection to its worker.

    A process that the task forks inherits a copy and must not write to the same channel. There every method does
    nothing, and log records go to standard error.
    """

    def __init__(self, ends: Ends) -> None:
        self._channel = Channel(socket_of(ends.channel))
        self._streams = (ends.out, ends.err)
        self._mark = b"\x1e" + ends.mark.encode() + b"\x1e"
        self._state = SharedState(ends.state)
        os.close(ends.state)
        self._pid = os.getpid()
        self._sending = threading.Lock()
        self._requesting = threading.Lock()
        self._ended = False

    def close(self) -> None:
        self._channel.close()
        self._state.close()
        for stream in self._streams:
            os.close(stream)

    def next_order(self) -> Order | None:
        """Wait for an order and return it, or None when the worker has closed the channel."""
        try:
            body = self._channel.receive_one().body
        except EOFError:
            return None
        self._ended = False
        self._state.start()
        return Order(*body["order"])

    def finish(self, outcome: Outcome, is_fit: bool) -> None:
        """Send the outcome, as the last message of a run."""
        match outcome:
            case Success(result, notes):
                message: dict[str, Any] = {"result": result, "notes": list(notes)}
            case Failure():
                message = {"failure": asdict(outcome)}
            case _:
                message = {"stopped": True}
        with self._sending:
            self._ended = True
            self._channel.send({**message, "fit": is_fit})

    @property
    def is_copied(self) -> bool:
        """Return whether this process was forked by the task."""
        return os.getpid() != self._pid

    @property
    def _silent(self) -> bool:
        return self._ended or self.is_copied

    def _send(self, body: Any, *files: int) -> None:
        if self._silent:  # in a forked copy the lock may be held for ever
            return
        with self._sending:
            if not self._ended:
                self._channel.send(body, files)

    def report(self, fraction: float | None, note: str) -> None:
        if not self._silent and self._state.write_progress(fraction, note):
            self._send({"progress": True})

    def log(self, level: str, text: str) -> None:
        """Send a log record, and write a mark to both streams so that the worker can order it among the output."""
        if self.is_copied:
            os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
            return
        with self._sending:
            if not self._ended:
                for stream in self._streams:
                    os.write(stream, self._mark)
                self._channel.send({"log": [level, text]})

    def emit(self, value: Any) -> None:
        self._send({"emit": value})

    def save(self, value: Any) -> None:
        """Store a checkpoint (JSON) and wait until it is stored.

        Raises StopRun if the run must stop or its lease is lost.
        """
        kept, _ = self._request({"save": value})
        if not kept or self.stop_requested():
            raise StopRun

    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile:
        """Send a file to the worker and wait until it is stored. Raises StoreAway, and StopRun if the run must stop."""
        with _descriptor_of(stream) as (file, start):
            answer, _ = self._request({"keep": [start, name, media_type]}, os.dup(file))
        match answer:
            case [str(sha256), int(size)]:
                return StoredFile(sha256, size)
            case str(reason):
                raise StoreAway(reason)
        raise StopRun

    def open(self, sha256: str) -> BinaryIO:
        """Open a file of the run's parameters. Raises FileNotFoundError, and StoreAway."""
        answer, files = self._request({"open": sha256})
        if files:
            return os.fdopen(files[0], "rb")
        if answer:
            raise StoreAway(answer)
        raise FileNotFoundError(sha256)

    def stop_requested(self) -> bool:
        return self._state.stop_requested()

    def _request(self, body: Any, *files: int) -> tuple[Any, list[int]]:
        """Send a request and wait for the reply."""
        if self._silent:
            raise RuntimeError("This works only in the task's own process, while the task runs.")
        with self._requesting:
            self._send(body, *files)
            answer = self._channel.receive_one()
        return answer.body["answer"], answer.files


@contextlib.contextmanager
def _descriptor_of(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield the descriptor of a stream, or of a temporary copy if it has none, and the stream's position."""
    start = stream.tell()
    try:
        stream.flush()
        yield stream.fileno(), start
    except io.UnsupportedOperation:
        with tempfile.TemporaryFile() as copy:
            copy.write(stream.read())
            copy.flush()
            yield copy.fileno(), 0
