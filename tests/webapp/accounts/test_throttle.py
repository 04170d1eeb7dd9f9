"""Throttling of logins and registrations, by place."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import event

from jobs.runs.backend import Backend
from tests.support.visitor import ORIGIN, PASSWORD, Visitor
from webapp import create_app
from webapp.accounts import throttle, users
from webapp.accounts.throttle import begin_attempt

ADA = "ada@example.com"
HOME, ELSEWHERE = "2001:db8:1:2::7", "203.0.113.7"


def log_in(app: Flask, place: str, password: str = PASSWORD, email: str = ADA) -> int:
    return (
        app.test_client()
        .post(
            "/login", data={"email": email, "password": password}, headers=ORIGIN, environ_base={"REMOTE_ADDR": place}
        )
        .status_code
    )


@contextmanager
def writes(backend: Backend) -> Iterator[list[str]]:
    """Collect the statements that change the database."""
    found: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            found.append(statement)

    event.listen(backend.database.engine, "before_cursor_execute", look)
    yield found
    event.remove(backend.database.engine, "before_cursor_execute", look)


def test_guesses_from_one_network_count_together(app: Flask, ada: Visitor) -> None:
    statuses = [log_in(app, f"2001:db8:9:9::{n}", "a wrong guess") for n in range(1, throttle.MOST_PER_PAIR + 2)]
    assert statuses == [422] * throttle.MOST_PER_PAIR + [429]
    assert log_in(app, "2001:db8:9:8::1", "a wrong guess") == 422, "another network"


def test_strangers_never_keep_a_user_out_of_a_place_where_they_have_signed_in(
    app: Flask, ada: Visitor, backend: Backend
) -> None:
    assert log_in(app, HOME) == 303
    for n in range(throttle.MOST_PER_EMAIL):
        assert begin_attempt(backend.database, ADA, f"198.51.100.{n}")
    for n in range(throttle.MOST_PER_ADDRESS):
        begin_attempt(backend.database, f"other{n}@example.com", "2001:db8:1:2::/64")
    assert log_in(app, ELSEWHERE) == 429
    assert log_in(app, HOME) == 303
    assert log_in(app, "2001:db8:1:2:ffff::1") == 303, "the same network"
    assert log_in(app, HOME, email="ben@example.com") == 429, "it is not known to others"


def test_a_guess_that_is_refused_anyway_writes_nothing(app: Flask, ada: Visitor, backend: Backend) -> None:
    while log_in(app, ELSEWHERE, "a wrong guess") != 429:
        pass
    with writes(backend) as written:
        assert log_in(app, ELSEWHERE, "a wrong guess") == 429
    assert written == []


def register(app: Flask, number: int, place: str) -> int:
    data = {"email": f"someone{number}@example.com", "password": PASSWORD}
    client = app.test_client()
    return client.post("/register", data=data, headers=ORIGIN, environ_base={"REMOTE_ADDR": place}).status_code


def test_accounts_from_one_place_are_throttled(app: Flask, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_REGISTRATIONS", 3)
    assert [register(app, n, f"2001:db8::{n}") for n in range(5)] == [303, 303, 303, 429, 429]
    assert register(app, 0, ELSEWHERE) == 422, "taken, which counts too"
    assert [register(app, n, ELSEWHERE) for n in (5, 6, 7)] == [303, 303, 429]
    assert [register(app, n, "127.0.0.1") for n in range(10, 15)] == [303] * 5
    assert [register(create_app(backend), 20, ELSEWHERE)] == [429], "also after a restart"


def test_a_very_long_address_costs_nothing(app: Flask) -> None:
    begun = time.process_time()
    for long in ("a" * 900_000 + "@example.com", "a@" + "b." * 400_000, "a@example.com" + " " * 900_000):
        assert users.normalised(long) is None
        assert log_in(app, "127.0.0.1", "a wrong guess", long) in (422, 429)
    assert time.process_time() - begun < 1
