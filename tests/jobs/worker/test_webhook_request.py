"""A request to a webhook: what is sent, what an answer means, and what a hostile receiver can do."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from jobs.runs.deliveries import Answer
from jobs.worker import webhook_request
from tests.support import tls
from tests.support.forbidden import FORBIDDEN
from tests.support.receiver import Receiver

BODY = b'{"type":"run.succeeded"}'


def settings(allow: str = "") -> Settings:
    return Settings.model_validate({"webhook_allow": allow})


def send(url: str, allow: str = "", seconds: float = 5) -> Answer:
    return webhook_request.send(url, {"webhook-id": "msg_1"}, BODY, settings(allow), seconds)


@contextmanager
def saying(*parts: bytes, pause: float = 0) -> Iterator[tuple[str, str]]:
    """A server that says this to whoever connects; yields its URL and the entry that allows it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                with server.accept()[0] as connection:
                    connection.recv(65536)
                    for part in parts:
                        connection.sendall(part)
                        threading.Event().wait(pause)
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        place = f"127.0.0.1:{server.getsockname()[1]}"
        yield f"http://{place}/", place
        thread.join()


def test_a_message_is_posted_with_its_headers_and_any_2xx_is_a_success() -> None:
    with Receiver() as receiver:
        assert send(f"{receiver.url}?a=b", receiver.allow) == Answer(204)
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook?a=b", BODY)
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    with Receiver() as elsewhere, Receiver(lambda received: (status, {"Location": elsewhere.url})) as receiver:
        answer = send(receiver.url, f"{receiver.allow},{elsewhere.allow}")
    assert (answer.status, answer.is_success, answer.problem) == (status, False, f"Answered {status}.")
    assert elsewhere.received == []


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
    ],
)
def test_a_receiver_may_say_when_to_come_back(asked: str, seconds: float | None) -> None:
    with Receiver(lambda received: (503, {"Retry-After": asked})) as receiver:
        assert send(receiver.url, receiver.allow).retry_after == seconds


@pytest.mark.parametrize(
    "parts",
    [
        *(
            [b""],
            [b"HTTP/1.1 2"],
            [b"SSH-2.0-OpenSSH\r\n\r\n"],
            [b"HTTP/1.1 999999 x\r\n\r\n"],
            [b"HTTP/1.1 abc\r\n\r\n"],
        ),
        *([b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 4000], [b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n"]),
        [b"\x00" * 100_000],
    ],
)
def test_what_is_no_answer_is_a_failure_in_our_words(parts: list[bytes]) -> None:
    with saying(*parts) as (url, allow):
        answer = send(url, allow)
    closed = [webhook_request.NO_HTTP, webhook_request.CLOSED, webhook_request.UNREACHABLE]
    assert (answer.status, answer.problem in closed) == (None, True)


def test_an_early_hint_is_not_the_answer() -> None:
    with saying(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") as (url, allow):
        assert send(url, allow) == Answer(200)


def test_the_body_of_an_answer_is_neither_read_nor_shown() -> None:
    with saying(b"HTTP/1.1 500 secret words\r\nX-Secret: a\r\n\r\n", b"secret" * 1_000_000) as (url, allow):
        assert send(url, allow) == Answer(500, "Answered 500.")


@pytest.mark.parametrize("parts", [[], [b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 20]])
def test_one_deadline_holds_for_silence_and_for_a_byte_now_and_then(parts: list[bytes]) -> None:
    began = time.monotonic()
    with Receiver(lambda received: (threading.Event().wait(1), (200, {}))[1]) as slow:
        answer = send(slow.url, slow.allow, seconds=0.3)
    if parts:
        with saying(*parts, pause=0.05) as (url, allow):
            answer = send(url, allow, seconds=0.3)
    assert (answer.status, answer.problem) == (None, "No answer within 0.3 s.")
    assert time.monotonic() - began < 4


def test_nobody_listening_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
    assert send(f"http://{place}/", place) == Answer(problem=webhook_request.UNREACHABLE)


def test_nothing_connects_to_a_forbidden_address_written_or_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero of the table are reached, with each way to say an address, also by a name that resolves to it."""
    reached: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda *place, **options: reached.append(place))
    for address in FORBIDDEN:
        send(f"https://[{address}]/" if ":" in address else f"https://{address}/")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, told=address, **_o: [(0, 0, 0, "", (told, 443))])
        assert send("https://example.com/").problem == "The address is not public."
    assert reached == []


def test_a_name_that_resolves_anew_is_reached_at_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver, Receiver() as internal:
        asked: list[str] = []
        resolve = socket.getaddrinfo

        def rebinding(host: Any, *rest: Any, **options: Any) -> Any:
            if host != "hooks.example.com":
                return resolve(host, *rest, **options)  # an address, which the connection is made to
            asked.append(host)
            return [(0, 0, 0, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.2", 0))]

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        url = f"http://hooks.example.com:{receiver.port}/"
        assert send(url, f"127.0.0.1/32:{receiver.port}, hooks.other:{internal.port}") == Answer(204)
        assert send(url, f"127.0.0.1/32:{receiver.port}").problem == "The address is not public."
    assert asked == ["hooks.example.com"] * 2
    assert [received.headers["host"] for received in receiver.received] == [f"hooks.example.com:{receiver.port}"]


def test_the_certificate_must_be_the_names_and_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tls.Authority(tmp_path)
    resolve: Callable[..., Any] = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **options: resolve("127.0.0.1" if host.endswith(".example") else host, *rest, **options),
    )
    with Receiver(context=authority.context_for("hooks.example")) as receiver:
        allow = f"127.0.0.1:{receiver.port}"
        url = f"https://hooks.example:{receiver.port}/"
        assert "TLS" in str(send(url, allow).problem)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        assert send(url, allow) == Answer(204)
        assert "TLS" in str(send(url.replace("hooks", "others"), allow).problem)
    assert receiver.asked_for == ["hooks.example", "hooks.example", "others.example"]
    assert len(receiver.received) == 1
