"""One request to a webhook: POST a signed message to a checked address, and read the status.

There is one deadline for everything, also against a receiver that sends a byte now and then. The body of an answer is
never read, redirects are not followed, and the problem is told in words of our own.
"""

import email.utils
import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC

from config import Settings
from jobs.runs import receivers
from jobs.runs.deliveries import Answer
from jobs.runs.receivers import Address, NoAddress, Receiver, RefusedReceiver
from jobs.storage.database import utcnow

ANSWER_SECONDS = 15.0
LONGEST_HEAD_BYTES = 16 * 1024
CHUNK_BYTES = 4096
AGENT = "Dumbwaiter"
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})( .*)?")
INFORMATIONAL = range(100, 200)

TIMED_OUT = "No answer within {seconds:g} s."
UNREACHABLE = "The connection failed."
NO_TLS = "The TLS connection failed: {reason}."
NO_HTTP = "The answer is not HTTP."
CLOSED = "The connection was closed without an answer."


class BadAnswer(Exception):
    """An answer without a status; the message says why."""


def send(url: str, headers: Mapping[str, str], body: bytes, settings: Settings, seconds: float) -> Answer:
    """Send a message and return what has come of it within so many seconds, in which names are resolved, too."""
    deadline = time.monotonic() + seconds
    try:
        receiver = receivers.parse(url, settings)
        with _connected(receiver, receivers.addresses(receiver, settings), deadline) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(_request(receiver, headers, body))
            return _answer(connection, deadline)
    except (NoAddress, RefusedReceiver, BadAnswer) as error:
        return Answer(problem=str(error))
    except TimeoutError:
        return Answer(problem=TIMED_OUT.format(seconds=seconds))
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or (error.reason or "").lower().replace("_", " ")
        return Answer(problem=NO_TLS.format(reason=reason or "unknown reason")[:200])
    except OSError:
        return Answer(problem=UNREACHABLE)


def _connected(receiver: Receiver, addresses: list[Address], deadline: float) -> socket.socket:
    """Connect to the first of the checked addresses that answers, for the name that the certificate must have."""
    last: OSError = OSError(UNREACHABLE)
    for number, address in enumerate(addresses):
        try:
            # Leave time for the others.
            share = _left(deadline) / (len(addresses) - number)
            connection = socket.create_connection((str(address), receiver.port), timeout=share)
        except OSError as error:
            last = error
            continue
        return _secured(connection, receiver.host, deadline) if receiver.secure else connection
    raise last


def _secured(connection: socket.socket, host: str, deadline: float) -> socket.socket:
    try:
        connection.settimeout(_left(deadline))
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _request(receiver: Receiver, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "Host": receiver.authority,
        "User-Agent": AGENT,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    head = [f"POST {receiver.target} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", ""]
    return "\r\n".join(head).encode("ascii") + body


def _answer(connection: socket.socket, deadline: float) -> Answer:
    received = b""
    while True:
        head, received = _head(connection, received, deadline)
        status, fields = _parsed(head)
        if status not in INFORMATIONAL:
            problem = None if 200 <= status < 300 else f"Answered {status}."
            return Answer(status, problem, _seconds(fields.get("Retry-After", "")))


def _head(connection: socket.socket, received: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Read to the end of the next head. Return it and what came with it."""
    while b"\r\n\r\n" not in received:
        if len(received) > LONGEST_HEAD_BYTES:
            raise BadAnswer(NO_HTTP)
        connection.settimeout(_left(deadline))
        chunk = connection.recv(CHUNK_BYTES)
        if not chunk:
            raise BadAnswer(NO_HTTP if received else CLOSED)
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _parsed(head: bytes) -> tuple[int, http.client.HTTPMessage]:
    line, _, fields = head.partition(b"\r\n")
    found = STATUS_LINE.fullmatch(line)
    if found is None:
        raise BadAnswer(NO_HTTP)
    try:
        return int(found[1]), http.client.parse_headers(io.BytesIO(fields))
    except http.client.HTTPException:
        raise BadAnswer(NO_HTTP) from None


def _seconds(text: str) -> float | None:
    """Return how many seconds a Retry-After asks to wait, given as a number or a date; None if it is neither."""
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - utcnow()).total_seconds())


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
