"""Second factors: turned on with a proof, asked for at every sign-in, and never accepted twice."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select, text

from jobs.runs.backend import Backend
from tests.support.authenticator import Clock, Phone, set_up
from tests.support.people import owner_id, with_key
from tests.support.program import Program
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import resets, second_factors, second_step, throttle, users
from webapp.accounts.users import Account


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(second_factors, "time", one)
    return one


def begin_login(app: Flask, email: str) -> Visitor:
    visitor = Visitor(app)
    sent = visitor.post("/login?next=/runs", {"email": email, "password": PASSWORD})
    assert (sent.status_code, sent.headers["Location"]) == (303, "/login/code?next=/runs")
    return visitor


def give(visitor: Visitor, code: str) -> int:
    return visitor.post("/login/code?next=/runs", {"code": code}).status_code


def test_it_is_turned_on_with_a_proof_and_asked_for_at_sign_in(
    app: Flask, ada: Visitor, backend: Backend, clock: Clock
) -> None:
    assert ada.post("/account/2fa/on", {"code": "000000"}).status_code == 409
    page = ada.post("/account/2fa/begin")
    assert the(soup(page), ".qr svg")
    key = the(soup(page), "code.tokens__secret").text.replace(" ", "")
    with backend.database.read() as session:
        assert key not in str(session.execute(text("SELECT * FROM second_factors")).all())
    wrong = ada.post("/account/2fa/on", {"code": "000000"})
    assert wrong.status_code == 422
    assert the(soup(wrong), "code.tokens__secret").text.replace(" ", "") == key
    assert Visitor(app).post("/login", {"email": ada.email, "password": PASSWORD}).headers["Location"] == "/"
    phone = Phone(key, clock)
    done = ada.post("/account/2fa/on", {"code": f" {phone.code()[:3]} {phone.code()[3:]} "})
    codes = soup(done).select(".recovery code")
    assert len({code.text for code in codes}) == 10
    with backend.database.read() as session:
        assert codes[0].text.replace("-", "") not in str(session.execute(text("SELECT * FROM recovery_codes")).all())
    assert ada.get("/").status_code == 200
    other = begin_login(app, ada.email)
    for path in ("/", "/account", "/runs"):
        assert other.get(path).status_code == 302
    assert other.get("/login/code?next=/runs").status_code == 200
    assert [give(other, code) for code in ("", "000000", "x" * 5000, "１２３４５６")] == [422] * 4
    sent = other.post("/login/code?next=/runs", {"code": phone.next_code()})
    assert (sent.status_code, sent.headers["Location"]) == (303, "/runs")
    assert other.get("/").status_code == 200
    assert ada.post("/account/2fa/begin").status_code == 303, "it is on: no other secret takes its place"


def test_a_code_is_accepted_once_and_while_it_is_new(app: Flask, ada: Visitor, backend: Backend, clock: Clock) -> None:
    phone, _codes = set_up(ada, clock)
    assert give(begin_login(app, ada.email), phone.code()) == 422, "it has turned the factor on"
    clock.seconds += 60
    assert give(begin_login(app, ada.email), phone.code(-2)) == 422
    assert give(begin_login(app, ada.email), phone.code(-1)) == 303
    assert give(begin_login(app, ada.email), phone.code(-1)) == 422
    assert give(begin_login(app, ada.email), phone.code(1)) == 303
    assert give(begin_login(app, ada.email), phone.code()) == 422, "a later one was accepted"
    clock.seconds += 90
    user = users.with_email(backend.database, ada.email)
    assert user
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: second_factors.accepts(backend, user, phone.code()), range(8)))
    assert taken.count(True) == 1


def test_a_recovery_code_works_once_and_new_ones_replace_all(app: Flask, ada: Visitor, clock: Clock) -> None:
    _phone, codes = set_up(ada, clock)
    assert give(begin_login(app, ada.email), codes[0].upper().replace("-", " ")) == 303
    assert give(begin_login(app, ada.email), codes[0]) == 422
    assert "9 of your recovery codes" in ada.get("/account/2fa").text
    renewed = [one.text for one in soup(ada.post("/account/2fa/codes")).select(".recovery code")]
    assert give(begin_login(app, ada.email), codes[1]) == 422
    assert give(begin_login(app, ada.email), renewed[1]) == 303


def test_codes_cannot_be_guessed_and_the_owner_is_not_kept_out(
    app: Flask, ada: Visitor, ben: Visitor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    phone, _codes = set_up(ada, clock)
    ben_phone, _codes = set_up(ben, clock)
    guesser = begin_login(app, ada.email)
    for number in range(throttle.MOST_PER_PAIR + 2):  # from another place each time
        sent = guesser.client.post(
            "/login/code",
            data={"code": "000000"},
            headers={"Origin": "http://localhost"},
            environ_base={"REMOTE_ADDR": f"203.0.113.{number}"},
        )
        assert sent.status_code == (422 if number < throttle.MOST_PER_PAIR else 429)
    assert "too many attempts" in caplog.text
    assert "wrong code" in caplog.text
    assert give(begin_login(app, ada.email), phone.next_code()) == 303, "she has signed in from here before"
    assert give(begin_login(app, ben.email), ben_phone.code()) == 303


def test_the_password_alone_opens_nothing_for_long(
    app: Flask, ada: Visitor, backend: Backend, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, _codes = set_up(ada, clock)
    assert Visitor(app).get("/login/code").headers["Location"] == "/login?next=/"
    late, changed = begin_login(app, ada.email), begin_login(app, ada.email)
    reset = Visitor(app)
    link = {"link": resets.create(backend, owner_id(backend, ada.email)), "password": PASSWORD}
    assert reset.post("/reset", link).headers["Location"].startswith("/login/code")
    assert give(changed, phone.next_code()) == 303
    assert changed.get("/").status_code == 302, "the password was changed meanwhile"
    assert give(reset, phone.code()) == 303
    assert reset.get("/").status_code == 200
    monkeypatch.setattr(second_step, "SECONDS", -1)
    assert give(late, phone.next_code()) == 303
    assert late.get("/").status_code == 302


def test_it_is_turned_off_by_its_owner_and_logged(
    app: Flask, ada: Visitor, backend: Backend, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    set_up(ada, clock)
    assert ada.post("/account/2fa/off").status_code == 303
    assert Visitor(app).post("/login", {"email": ada.email, "password": PASSWORD}).headers["Location"] == "/"
    for words in ("two-factor sign-in turned on", "two-factor sign-in turned off", "logged in"):
        assert f"{words}: '{ada.email}'" in caplog.text


def test_a_token_for_a_password_needs_the_code_too(app: Flask, ada: Visitor, clock: Clock) -> None:
    phone, codes = set_up(ada, clock)
    credentials, program = {"email": ada.email, "password": PASSWORD}, Program(app)
    for wrong in ({}, {"code": ""}, {"code": 123456}, {"code": "000000"}):
        answer = program.post("/tokens", {**credentials, **wrong})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/code"]
    code = phone.next_code()
    assert program.post("/tokens", {**credentials, "code": code}).status_code == 201
    assert program.post("/tokens", {**credentials, "code": code}).status_code == 422
    assert program.post("/tokens", {**credentials, "code": codes[3]}).status_code == 201
    guesses = [program.post("/tokens", {**credentials, "code": "000000"}).status_code for _ in range(6)]
    assert guesses[-1] == 429


def test_secrets_are_renewed_with_a_new_key(ada: Visitor, backend: Backend, clock: Clock) -> None:
    phone, _codes = set_up(ada, clock)
    old = backend.settings.session_key()
    changed = replace(backend, vault=with_key(backend, "new key " * 5, old))
    assert second_factors.renew_secrets(changed) == (1, 0)
    without = replace(backend, vault=with_key(backend, "new key " * 5))
    with backend.database.read() as session:
        user = session.scalars(select(Account)).one()
    assert second_factors.accepts(without, user, phone.next_code())
    assert second_factors.renew_secrets(replace(backend, vault=with_key(backend, "lost key " * 5))) == (0, 1)
