"""Requests to the object service that are sent again."""

import gc
import socket
import threading
import weakref
from collections.abc import Iterator

import pytest
import urllib3

from jobs.storage.retries import Retries

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsoup"
BODY_BYTES = 1_000_000


class Body(bytearray):
    """Something that can be seen to go."""


@pytest.fixture
def moody_server() -> Iterator[str]:
    """One that hangs up on who comes first, and answers who comes next."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        server.accept()[0].close()
        second, _address = server.accept()
        with second, second.makefile("rb") as request:
            while request.readline() != b"\r\n":
                pass
            request.read(BODY_BYTES)
            second.sendall(ANSWER)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    thread.join()
    server.close()


def test_what_was_sent_again_goes_when_it_has_been_sent(moody_server: str) -> None:
    body = Body(BODY_BYTES)
    there = weakref.ref(body)
    http = urllib3.PoolManager(retries=Retries(total=2))
    gc.disable()
    try:
        assert http.urlopen("PUT", moody_server, body=body).data == b"soup"
        del body
        assert there() is None
    finally:
        gc.enable()
