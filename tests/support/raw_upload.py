"""A form with a file on its way to the running application, of which every byte is in a test's hands."""

import socket
import time
from urllib.parse import urlsplit

from tests.support.person import Person
from tests.support.waiting import PATIENCE_SECONDS

BOUNDARY = "dumbwaiter"
PIECE = 64 * 1024


def head_of(name: str, file_name: str) -> bytes:
    """Return the head of a file's part."""
    line = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"'
    return f"--{BOUNDARY}\r\n{line}\r\n\r\n".encode()


def text(name: str, value: str) -> bytes:
    """A text's part, whole."""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


END = f"\r\n--{BOUNDARY}--\r\n".encode()


class RawUpload:
    """A request whose headers have been sent; without a length its body goes in chunks."""

    def __init__(self, person: Person, path: str, length: int | None) -> None:
        place = urlsplit(person.url)
        assert place.hostname
        assert place.port
        self._chunked = length is None
        self.end = socket.create_connection((place.hostname, place.port), timeout=PATIENCE_SECONDS)
        headers = {
            "Host": place.netloc,
            "Origin": person.url,
            "Cookie": person.cookie,
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            **({"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.end.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode())

    def __enter__(self) -> "RawUpload":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.end.close()

    def send(self, content: bytes) -> None:
        """Send a piece of the body."""
        self.end.sendall(f"{len(content):x}\r\n".encode() + content + b"\r\n" if self._chunked else content)

    def answer(self) -> str:
        """The rest of what is sent, and then the answer's head and as much of its body as comes before it pauses."""
        if self._chunked:
            self.end.sendall(b"0\r\n\r\n")
        received = b""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"</html>" not in received and time.monotonic() < deadline:
            piece = self.end.recv(PIECE)
            if not piece:
                break
            received += piece
            if b"\r\n\r\n" in received and b"content-length: 0" in received.lower():
                break
            if received.startswith(b"HTTP/1.1 303") and b"\r\n\r\n" in received:
                break
        return received.decode(errors="replace")
