"""Hostile requests and sockets: none is an error of the server, and it goes on serving others."""

import json
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.conftest import opened
from tests.faults.scale import scale
from tests.support.frames import frame
from tests.support.person import Person
from tests.support.program import Program
from tests.support.stack import Stack
from tests.support.visitor import ORIGIN, Visitor
from tests.support.waiting import PATIENCE_SECONDS
from webapp import create_app
from webapp.accounts import users

REQUESTS = scale(10_000, 300)
SOCKETS = scale(1_000, 25)
MOST_GROWTH_BYTES = 60_000_000
NOT_IMPLEMENTED = 501

TEXTS = (
    *("", "0", "-1", "1", "999999999999999999999", "1e9", "None", "true", "\x00", "a\r\nSet-Cookie: x=1", "\ud800"),
    *("../../etc/passwd", "..\\..\\x", "%00", "%2e%2e%2f", "//evil.example", "<script>alert(1)</script>", "{{7*7}}"),
    *(
        "' OR 1=1--",
        "$(id)",
        "\u202e\u0000",
        "é" * 300,
        "x" * 5000,
        "reverse_text",
        "count_words",
        "runs",
        "[",
        "{",
        "٣",
    ),
)
METHODS = ("GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
HEADERS = (
    *("Range", "If-None-Match", "If-Modified-Since", "If-Range", "Accept", "Accept-Encoding", "Accept-Language"),
    *("Authorization", "Cookie", "Content-Type", "Content-Encoding", "Host", "Origin", "Referer", "Sec-Fetch-Site"),
    *("HX-Request", "HX-Current-URL", "HX-Target", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Forwarded-Prefix", "Upgrade", "Connection", "Idempotency-Key", "Last-Event-ID", "Prefer", "User-Agent"),
)
VALUES = (
    *("bytes=0-", "bytes=-1", "bytes=9-1,0-0", "bytes=" + "0-1," * 200, '"', "W/", "*/*;q=x", "gzip;q=nan", "Bearer"),
    *(
        "Bearer x.y",
        "Basic Og==",
        "dumbwaiter=.x.y",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "b" * 99,
    ),
    *(
        "application/json; charset=none",
        "text/plain; charset=utf-7",
        "Thu, 99 Foo 10000 99:99:99 GMT",
        "http://[",
        "websocket",
    ),
    *("1" * 400, "\xff\xfe", "null", "true"),
)
BODIES: tuple[Callable[[random.Random], tuple[bytes, str]], ...] = (
    lambda chance: (chance.randbytes(200), "application/x-www-form-urlencoded"),
    lambda chance: (chance.randbytes(200), "multipart/form-data; boundary=x"),
    lambda chance: (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="' + chance.randbytes(20),
        "multipart/form-data; boundary=x",
    ),
    lambda chance: (b"[" * 10_000, "application/json"),
    lambda chance: (json.dumps({text: text for text in TEXTS}).encode("utf-8", "surrogatepass"), "application/json"),
    lambda chance: (b'{"parameters": {"text": 1e999, "a": NaN, "b": ' + b"9" * 5000 + b"}}", "application/json"),
    lambda chance: (b"&".join(b"a%d=%%ff" % n for n in range(2000)), "application/x-www-form-urlencoded"),
    lambda chance: (
        b"_owner=x&_change=add+" + b"texts." * 500 + b"&_zone=x/y&text=%00",
        "application/x-www-form-urlencoded",
    ),
    lambda chance: (b"", "application/json"),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Flask]:
    with opened(tmp_path_factory.mktemp("hostile"), redis_url, empty_database) as backend:
        made = create_app(backend)
        yield made
        made.extensions["hub"].end()


def test_no_request_is_an_error_of_the_server(app: Flask) -> None:
    chance = random.Random(20_26)  # the same each time
    rules = [rule for rule in app.url_map.iter_rules() if not rule.websocket and rule.endpoint != "health.readyz"]
    people = [Visitor(app), *(Visitor(app).registered(f"{name}@example.com") for name in ("ada", "boss"))]
    users.set_admin(app.extensions["dumbwaiter"].database, "boss@example.com", True)
    clients = [*(person.client for person in people), Program.signed_in(app, "ada@example.com").client]
    run_id = people[1].submit("reverse_text", text="ab")
    begun = psutil.Process().memory_info().rss
    errors = []
    for number in range(REQUESTS):
        method, path, options = request(chance, chance.choice(rules), str(run_id))
        with suppress(UnicodeError):  # what the test client cannot even write
            answer = chance.choice(clients).open(path, method=method, **options)
            if answer.status_code >= 500 and answer.status_code != NOT_IMPLEMENTED:
                errors.append((number, answer.status_code, method, path, options))
            answer.close()
    assert errors == []
    assert psutil.Process().memory_info().rss - begun < MOST_GROWTH_BYTES


def request(chance: random.Random, rule: Rule, run_id: str) -> tuple[str, str, dict[str, Any]]:
    """Return a method, a path and what else to ask with."""
    names = rule.arguments
    values = {name: run_id if chance.random() < 0.3 else chance.choice(TEXTS) for name in names}
    path = "".join(
        part if is_text else str(values.get(part, "0")) for is_text, part in ((one[0], one[1]) for one in _parts(rule))
    )
    if chance.random() < 0.1:
        path += chance.choice(TEXTS)
    query = [
        (
            chance.choice(
                (
                    "page",
                    "by",
                    "order",
                    "run",
                    "state",
                    "limit",
                    "since",
                    "shown",
                    "example",
                    "next",
                    "owner",
                    "name",
                    "before",
                    "output",
                    "invitation",
                    "link",
                    "q",
                )
            ),
            chance.choice(TEXTS),
        )
        for _ in range(3)
    ]
    headers = dict(ORIGIN) | {chance.choice(HEADERS): clean(chance.choice((*VALUES, *TEXTS))) for _ in range(2)}
    options: dict[str, Any] = {"query_string": dict(query), "headers": headers}
    method = chance.choice(METHODS)
    if method not in ("GET", "HEAD"):
        options["data"], options["content_type"] = chance.choice(BODIES)(chance)
    return method, "/" + path.lstrip("/"), options


def _parts(rule: Rule) -> Iterator[tuple[bool, str]]:
    """Yield the pieces of a rule, and whether each is fixed; the others are names."""
    for number, piece in enumerate(rule.rule.replace(">", "<").split("<")):
        yield (True, piece) if number % 2 == 0 else (False, piece.rpartition(":")[2])


def clean(value: str) -> str:
    """Return a header's value as a web server would let it through."""
    return (
        "".join(one for one in value if one >= " " and one not in "\r\n").encode("latin-1", "replace").decode("latin-1")
    )


def test_no_socket_is_an_error_of_the_server(stack: Stack, ada: Person) -> None:
    chance = random.Random(20_26)  # the same each time
    for _ in range(SOCKETS):
        assert told(chance, stack, ada) not in (b"500", b"502", b"503", b"504")
    assert ada.get("/").select_one("h1")


def told(chance: random.Random, stack: Stack, ada: Person) -> bytes:
    """Open a socket with a strange handshake, send strange frames, and return the status of the answer."""
    headers = {
        "Host": f"127.0.0.1:{stack.port}",
        "Origin": ada.origin,
        "Cookie": ada.cookie,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    if chance.random() < 0.5:
        headers[chance.choice(list(headers))] = clean(chance.choice((*VALUES, *TEXTS)))
    query = chance.choice(
        ("", "?owner=x", "?shown=1.1,2.x&more=1", "?since=x", "?run=99999999999999999999", "?limit=-1")
    )
    with socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE_SECONDS) as end, suppress(OSError):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        end.sendall(f"GET /live{query} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        status = end.recv(12)[9:12]
        for _ in range(chance.randrange(5)):
            strange = chance.random() < 0.5
            end.sendall(
                chance.randbytes(300)
                if strange
                else frame(
                    chance.randrange(16),
                    chance.randbytes(chance.choice((0, 1, 130, 70_000))),
                    final=chance.random() < 0.7,
                    masked=chance.random() < 0.8,
                    reserved=chance.randrange(8),
                )
            )
        return status
    return b""
