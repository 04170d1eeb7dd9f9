"""The running application's sockets and RFC 6455, by the cases of the Autobahn test suite, whose numbers they have.

The suite itself needs Python 2.7 and a server that echoes. A page here is never answered, so what is allowed shows in
the pongs that come before and after it; what is forbidden is told at its first wrong byte, and nothing follows that.
"""

import socket
import struct

import pytest

from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, frames
from tests.support.person import Person
from tests.support.raw_page import HANDSHAKE, connect
from tests.support.stack import Stack
from tests.support.waiting import PATIENCE_SECONDS
from webapp.live.socket import LARGEST_MESSAGE_BYTES as LIMIT

PROTOCOL_ERROR, NO_TEXT, TOO_BIG = 1002, 1007, 1009
LAST = b"the last one"
GREEK = "κ\u1f79σμε".encode()
OUT_OF_RANGE = b"\xf4\x90\x80\x80"
SIZES = (0, 125, 126, 127, 128, 65535, 65536)
WHOLE_CHARACTERS = (
    "$¢€\U00024b62\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\ufff9\ufffd\ufffe\uffff\U00010000\U0001fffe\U0010ffff"
)

Heard = list[bytes | int]  # the payloads of pongs, and the code with which the server hangs up


def part(opcode: int, payload: bytes = b"part") -> bytes:
    """A frame that others are to follow."""
    return frame(opcode, payload, final=False)


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


PING_LAST = frame(PING, LAST)
END = frame(CONTINUATION, b"end")
PINGED_BETWEEN = part(TEXT) + frame(PING, b"1") + part(CONTINUATION) + frame(PING, b"2") + END
AT_ONCE = frame(TEXT, GREEK + OUT_OF_RANGE)[: 6 + len(GREEK) + 2]

ALLOWED: dict[str, tuple[bytes, Heard]] = {
    "1.1 texts of any length": (b"".join(frame(TEXT, b"*" * size) for size in SIZES), []),
    "1.2 bytes of any length": (b"".join(frame(BINARY, b"\xfe" * size) for size in SIZES), []),
    "2.1 an empty ping": (frame(PING), [b""]),
    "2.2 a ping with words": (frame(PING, b"Hello, world!"), [b"Hello, world!"]),
    "2.3 a ping with bytes": (frame(PING, b"\x00\xff\xfe\xfd"), [b"\x00\xff\xfe\xfd"]),
    "2.4 the longest ping": (frame(PING, b"\xfe" * 125), [b"\xfe" * 125]),
    "2.7 a pong nobody asked for": (frame(PONG), []),
    "2.8 a pong with words": (frame(PONG, b"unasked"), []),
    "2.9 a pong and a ping": (frame(PONG, b"unasked") + frame(PING, b"asked"), [b"asked"]),
    "2.10 ten pings": (b"".join(frame(PING, b"%d" % n) for n in range(10)), [b"%d" % n for n in range(10)]),
    "5.3 a ping between parts": (part(TEXT) + frame(PING, b"between") + END, [b"between"]),
    "5.6 bytes in parts": (part(BINARY) + frame(PING, b"between") + END, [b"between"]),
    "5.19 pings between parts": (PINGED_BETWEEN, [b"1", b"2"]),
    "6.1 empty texts": (frame(TEXT) + part(TEXT, b"") + part(CONTINUATION, b"") + frame(CONTINUATION), []),
    "6.2 a character in parts": (
        part(TEXT, GREEK[:1]) + part(CONTINUATION, GREEK[1:4]) + frame(CONTINUATION, GREEK[4:]),
        [],
    ),
    "6.5 every kind of character": (b"".join(frame(TEXT, one.encode()) for one in WHOLE_CHARACTERS), []),
    "9.1 the largest messages": ((frame(TEXT, b"*" * LIMIT) + frame(BINARY, b"*" * LIMIT)) * 3, []),
    "9.3 the largest in parts": (
        part(TEXT, b"") + part(CONTINUATION, b"*" * 1024) * (LIMIT // 1024) + frame(CONTINUATION),
        [],
    ),
}

CLOSED: dict[str, tuple[bytes, Heard]] = {
    "2.5 too long a ping": (frame(PING, b"\xfe" * 126), [PROTOCOL_ERROR]),
    **{f"3 reserved bits {bits:03b}": (frame(TEXT, b"*", reserved=bits), [PROTOCOL_ERROR]) for bits in range(1, 8)},
    "3.5 reserved bits of a ping": (frame(PING, b"*", reserved=5), [PROTOCOL_ERROR]),
    "3.7 reserved bits of a close": (frame(CLOSE, b"", reserved=7), [PROTOCOL_ERROR]),
    **{f"4 opcode {code:x}": (frame(code), [PROTOCOL_ERROR]) for code in (*range(3, 8), *range(11, 16))},
    "4 an opcode after a ping": (frame(PING, b"1") + frame(3, b"*"), [b"1", PROTOCOL_ERROR]),
    "5.1 a ping in parts": (part(PING), [PROTOCOL_ERROR]),
    "5.2 a pong in parts": (part(PONG), [PROTOCOL_ERROR]),
    "5.9 an end of nothing": (frame(CONTINUATION), [PROTOCOL_ERROR]),
    "5.12 a part of nothing": (part(CONTINUATION), [PROTOCOL_ERROR]),
    "5.15 an end after the end": (part(TEXT) + END + part(CONTINUATION), [PROTOCOL_ERROR]),
    "5.18 a text within a text": (part(TEXT) + frame(PING, b"1") + frame(TEXT), [b"1", PROTOCOL_ERROR]),
    "5.18 bytes within a text": (part(TEXT) + frame(BINARY), [PROTOCOL_ERROR]),
    "6.3 no text": (frame(TEXT, GREEK + b"\xed\xa0\x80edited"), [NO_TEXT]),
    "6.4 no text any more": (part(TEXT, GREEK) + part(CONTINUATION, OUT_OF_RANGE), [NO_TEXT]),
    "6.4 no text from its second byte on": (part(TEXT, GREEK) + part(CONTINUATION, OUT_OF_RANGE[:2]), [NO_TEXT]),
    "6.4 no text while its frame arrives": (AT_ONCE, [NO_TEXT]),
    "6.4 a text that ends within a character": (part(TEXT, GREEK[:1]) + frame(CONTINUATION), [NO_TEXT]),
    "7.1 a message before": (frame(TEXT, b"*") + close(1000), [1000]),
    "7.1 a second close": (close(1000) + close(1001), [1000]),
    "7.1 a ping after": (close(1000) + frame(PING), [1000]),
    "7.1 a text after": (close(1000) + frame(TEXT, b"*"), [1000]),
    "7.1 in the middle of a message": (part(TEXT) + close(1000) + END, [1000]),
    "7.3 no code": (frame(CLOSE), [1005]),
    "7.3 half a code": (frame(CLOSE, b"a"), [PROTOCOL_ERROR]),
    "7.3 a reason": (close(1000, b"Hello World!"), [1000]),
    "7.3 the longest reason": (close(1000, b"*" * 123), [1000]),
    "7.3 too long a reason": (close(1000, b"*" * 124), [PROTOCOL_ERROR]),
    "7.5 a reason that is no text": (close(1000, GREEK + b"\xed\xa0\x80"), [NO_TEXT]),
    **{
        f"7.7 code {code}": (close(code), [code])
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
    },
    **{
        f"7.9 code {code}": (close(code), [PROTOCOL_ERROR])
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "9 too large": (frame(TEXT, b"*" * (LIMIT + 1)), [TOO_BIG]),
    "9 too large in parts": (part(BINARY, b"*" * LIMIT) + part(CONTINUATION, b"*"), [TOO_BIG]),
    "9 too large and never whole": (
        bytes((0x81, 0xFF, *(2**40).to_bytes(8), 0, 0, 0, 0)) + b"*" * (LIMIT + 1),
        [TOO_BIG],
    ),
    "a frame that is not masked": (frame(TEXT, b"*", masked=False), [PROTOCOL_ERROR]),
    "a length of more bytes than it needs": (bytes((0x81, 0xFE, 0, 5)), [PROTOCOL_ERROR]),
    "a length that is negative": (bytes((0x81, 0xFF, 0x80, *bytes(7))), [PROTOCOL_ERROR]),
}

# Of Markus Kuhn's decoder stress test: what is cut off, stands alone, is longer than it need be, or no character.
NO_TEXTS = (
    *(GREEK[:length] for length in (1, 3, 4, 6, 8, 10)),
    *(b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", OUT_OF_RANGE),
    *(b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80\xbf\x80\xbf", bytes(range(0x80, 0xC0))),
    *(bytes((start, 0x20)) for start in (0xC0, 0xC2, 0xDF, 0xE0, 0xEF, 0xF0, 0xF4, 0xF8, 0xFC)),
    *(b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf4\x8f\xbf", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"),
    *(b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf"),
    *(b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"),
    *(b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf"),
    *(b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf"),
)


@pytest.fixture(scope="module")
def ada(stack: Stack) -> Person:
    """One for all cases: to register takes longer than any of them."""
    return Person(stack.url, "ada@protocol.example.com")


def exchange(person: Person, sent: bytes, *, chopped: bool = False) -> Heard:
    """Send bytes and return what the page receives until the server disconnects or answers the last ping."""
    heard: Heard = []
    with connect(person) as page:
        page.end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for chunk in (sent[place : place + 1] for place in range(len(sent))) if chopped else (sent,):
            page.end.sendall(chunk)
        received = bytearray()
        while LAST not in heard and (data := read(page.end)):
            received += data
            heard += [understood(*one) for one in frames(received) if one[0] != TEXT]
    assert not received
    return heard


def read(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except ConnectionResetError:
        return b""  # it hung up on something that it had not read


def understood(opcode: int, payload: bytes) -> bytes | int:
    if opcode == PONG:
        return payload
    assert opcode == CLOSE
    return int.from_bytes(payload[:2]) if payload else 1005


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed_is_borne(ada: Person, case: str) -> None:
    sent, heard = ALLOWED[case]
    assert exchange(ada, sent + PING_LAST) == [*heard, LAST]


@pytest.mark.parametrize("case", CLOSED)
def test_a_page_is_closed_with_the_code_that_fits(ada: Person, case: str) -> None:
    sent, heard = CLOSED[case]
    assert exchange(ada, sent) == heard


@pytest.mark.parametrize("text", NO_TEXTS, ids=bytes.hex)
def test_bytes_that_are_not_text_are_refused(ada: Person, text: bytes) -> None:
    assert exchange(ada, frame(TEXT, text)) == [NO_TEXT]
    assert exchange(ada, frame(BINARY, text) + PING_LAST) == [LAST]


@pytest.mark.parametrize(
    ("sent", "heard"),
    [(PINGED_BETWEEN + PING_LAST, [b"1", b"2", LAST]), (close(1000, GREEK), [1000]), (AT_ONCE, [NO_TEXT])],
    ids=["5.20 allowed", "7.3 closed", "6.4 forbidden"],
)
def test_how_the_bytes_are_chopped_makes_no_difference(ada: Person, sent: bytes, heard: Heard) -> None:
    assert exchange(ada, sent, chopped=True) == heard


@pytest.mark.parametrize("header", ["Sec-WebSocket-Version", "Sec-WebSocket-Key", "Connection", "Upgrade"])
def test_a_handshake_that_lacks_something_is_a_bad_request(ada: Person, header: str) -> None:
    with connect(ada, handshake={name: value for name, value in HANDSHAKE.items() if name != header}) as page:
        assert page.head.startswith(b"HTTP/1.1 400 ")


def test_a_handshake_of_another_version_is_a_bad_request(ada: Person) -> None:
    with connect(ada, handshake={**HANDSHAKE, "Sec-WebSocket-Version": "12"}) as page:
        assert page.head.startswith(b"HTTP/1.1 400 ")


def test_the_server_believes_no_header_about_where_a_request_came_from(stack: Stack) -> None:
    headers = "".join(
        f"{name}: {value}\r\n"
        for name, value in {
            "SCRIPT_NAME": "/tools",
            "X-Forwarded-Prefix": "/tools",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Ssl": "on",
            "X-Forwarded-Host": "evil.example",
            "PATH_INFO": "/healthz",
        }.items()
    )
    with socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(f"GET /runs HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n".encode())
        head = client.makefile("rb").read().partition(b"\r\n\r\n")[0].decode()
    assert "Location: /login?next=/runs\r\n" in head
    assert "Strict-Transport-Security" not in head
