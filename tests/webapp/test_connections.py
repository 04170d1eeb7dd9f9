"""Limits of concurrent requests from one address, and of the time that a request's body may take."""

import io
import time
from collections.abc import Iterable

import gevent
import pytest
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from tests.support.visitor import ORIGIN, Visitor
from webapp import connections
from webapp.connections import Doorkeeper, place_of


class Trickle(io.RawIOBase):
    """A body of which one byte comes every few milliseconds."""

    def read(self, size: int = -1) -> bytes:
        gevent.sleep(0.02)
        return b"a"


@pytest.mark.parametrize("path", ["/login", "/tasks/count_words", "/api/v1/tokens"])
def test_a_body_that_trickles_ends_in_time(
    app: Flask, ada: Visitor, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.2)
    begun = time.monotonic()
    kind = {"/login": "application/x-www-form-urlencoded", "/api/v1/tokens": "application/json"}
    answer = ada.client.post(
        path,
        headers=ORIGIN,
        environ_overrides={"wsgi.input": Trickle(), "CONTENT_LENGTH": "100000"},
        content_type=kind.get(path, "multipart/form-data; boundary=x"),
    )
    assert answer.status_code == 408
    assert time.monotonic() - begun < 10


def test_a_body_that_comes_at_a_fair_speed_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(connections, "LEAST_BYTES_PER_SECOND", 10)
    body = connections.TimelyBody(Trickle())  # type: ignore[arg-type]  # it can be read
    begun = time.monotonic()
    while time.monotonic() - begun < 0.5:
        assert body.read(1) == b"a"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 1000, "x" * 64),
        (None, ""),
    ],
)
def test_an_address_counts_for_its_place(address: str | None, place: str) -> None:
    assert place_of(address) == place


def test_one_address_cannot_hold_all_requests() -> None:
    def application(_environ: object, start_response: object) -> Iterable[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]  # it is one
        return [b"held"]

    doorkeeper = Doorkeeper(application)

    def ask(address: str) -> tuple[str, Iterable[bytes]]:
        answer, status, _headers = run_wsgi_app(doorkeeper, create_environ(environ_base={"REMOTE_ADDR": address}))
        return status[:3], answer

    held = [ask(f"2001:db8::{number:x}") for number in range(connections.MOST_AT_ONCE)]
    assert {status for status, _answer in held} == {"200"}
    assert ask("2001:db8::ffff")[0] == "429"
    assert ask("203.0.113.7")[0] == "200"
    for _status, answer in held:
        answer.close()  # type: ignore[attr-defined]  # as servers do
    assert ask("2001:db8::ffff")[0] == "200"
    assert {ask("127.0.0.1")[0] for _ in range(connections.MOST_AT_ONCE + 10)} == {"200"}
