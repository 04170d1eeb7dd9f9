"""Messages between two processes on one machine: JSON over a Unix socket, with file descriptors attached."""

import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic_core import from_json

HEADER = struct.Struct("!IB")
LARGEST_BYTES = 64 * 1024 * 1024
MOST_FILES = 8
READ_BYTES = 64 * 1024
DESCRIPTOR = struct.Struct("i")
FILES_SPACE = socket.CMSG_SPACE(MOST_FILES * DESCRIPTOR.size)
CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # socket.recv_fds takes flags and does not pass them on


class BadMessage(Exception):
    """The peer sent an invalid message."""


class Message(NamedTuple):
    """A message and its file descriptors, which the receiver must close."""

    body: Any
    files: list[int]


class Channel:
    """One end of a socket pair. On a non-blocking socket neither sending nor receiving blocks."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._incoming = bytearray()
        self._files: deque[int] = deque()
        self._messages: deque[Message] = deque()
        self._outgoing: deque[tuple[bytes, Sequence[int]]] = deque()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def is_flushed(self) -> bool:
        """Return whether everything has been sent."""
        return not self._outgoing

    def send(self, body: Any, files: Sequence[int] = ()) -> None:
        """Send a message and close its files; what the socket does not accept now is sent by `flush`.

        Raises OSError if the peer is gone.
        """
        encoded = json.dumps(body).encode()
        self._outgoing.append((HEADER.pack(len(encoded), len(files)) + encoded, files))
        self.flush()

    def flush(self) -> None:
        """Send the remaining data. Raises OSError if the peer is gone."""
        while self._outgoing:
            data, files = self._outgoing.popleft()
            try:
                sent = socket.send_fds(self._socket, [data], files) if files else self._socket.send(data)
            except BlockingIOError:
                self._outgoing.appendleft((data, files))
                return
            for file in files:
                os.close(file)
            if sent < len(data):
                self._outgoing.appendleft((data[sent:], []))

    def receive(self) -> list[Message]:
        """Return the messages received so far. Raises EOFError at the end, and BadMessage."""
        with suppress(BlockingIOError):
            self._read()
        messages, self._messages = list(self._messages), deque()
        return messages

    @property
    def has_begun(self) -> bool:
        """Return whether part of a message has been received."""
        return bool(self._incoming)

    def receive_one(self) -> Message:
        """Wait for the next message, on a blocking socket. Raises EOFError at the end, and BadMessage."""
        while not self._messages:
            self._read()
        return self._messages.popleft()

    def close(self) -> None:
        self._socket.close()
        for files in (self._files, *(files for _, files in self._outgoing), *(files for _, files in self._messages)):
            for file in files:
                os.close(file)
        self._files, self._outgoing, self._messages = deque(), deque(), deque()

    def _read(self) -> None:
        try:
            data, ancillary, _flags, _address = self._socket.recvmsg(READ_BYTES, FILES_SPACE, CLOSE_ON_EXEC)
        except ConnectionError:
            raise EOFError from None
        if not data:
            raise EOFError
        self._incoming += data
        # Files arrive with the first byte of their message, so before the message is complete.
        for _level, _kind, descriptors in ancillary:
            self._add_files(descriptors)
        while len(self._incoming) >= HEADER.size:
            length, count = HEADER.unpack_from(self._incoming)
            if length > LARGEST_BYTES:
                raise BadMessage(f"a message of {length:,} bytes")
            if len(self._incoming) < HEADER.size + length:
                return
            encoded = self._incoming[HEADER.size : HEADER.size + length]
            del self._incoming[: HEADER.size + length]
            self._messages.append(self._message(encoded, count))

    def _add_files(self, descriptors: bytes) -> None:
        count = len(descriptors) // DESCRIPTOR.size
        for (file,) in DESCRIPTOR.iter_unpack(descriptors[: count * DESCRIPTOR.size]):
            if not CLOSE_ON_EXEC:
                os.set_inheritable(file, False)
            self._files.append(file)

    def _message(self, encoded: bytearray, count: int) -> Message:
        if count > len(self._files):
            raise BadMessage("a message without its files")
        try:
            return Message(_decoded(encoded), [self._files.popleft() for _ in range(count)] if count else [])
        except (ValueError, RecursionError) as error:
            raise BadMessage(str(error)) from None


def _decoded(text: bytearray) -> Any:
    try:
        return from_json(text, cache_strings="none")
    except ValueError:  # it reads neither deep nesting nor halves of surrogate pairs
        return json.loads(text.decode())


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def socket_of(descriptor: int) -> socket.socket:
    """Return the socket of a descriptor without the system calls that detect its type."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
