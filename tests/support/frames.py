"""WebSocket frames, byte by byte."""

import secrets
import struct
from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One frame from a page, as the protocol wants it or not; `reserved` are its three reserved bits as a number."""
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    if not masked:
        return head + _length(len(payload), 0) + payload
    mask = secrets.token_bytes(4)
    hidden = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return head + _length(len(payload), 0x80) + mask + hidden


def _length(length: int, flag: int) -> bytes:
    if length < 126:
        return bytes([flag | length])
    return struct.pack("!BH", flag | 126, length) if length < 2**16 else struct.pack("!BQ", flag | 127, length)


def frames(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole frames, none of them masked or in parts, as opcode and payload."""
    while len(received) >= 2:
        length, start = received[1], 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(received) < start:
                return
            length = int.from_bytes(received[2:start])
        if len(received) < start + length:
            return
        opcode, payload = received[0] & 0x0F, bytes(received[start : start + length])
        del received[: start + length]
        yield opcode, payload
