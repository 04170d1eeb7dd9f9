"""Second factors: turned on with a proof, asked for at every sign-in, and never accepted twice."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select, text, update

from jobs.runs import audit
from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.people import owner_id, with_key
from tests.support.program import Program
from tests.support.visitor import PASSWORD, Visitor, soup, the
from tests.support.waiting_mails import mailing
from webapp.accounts import resets, second_factors, second_step, throttle, users
from webapp.accounts.confirmation import RECENT, SENSITIVE
from webapp.accounts.sessions import Session
from webapp.accounts.users import Account

START = 1_800_000_000.0


class Clock:
    """The time by which codes are computed: it passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = START

    def time(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(second_factors, "time", one)
    return one


class Phone:
    def __init__(self, key: str, clock: Clock) -> None:
        self._app, self._clock = pyotp.TOTP(key), clock

    def code(self, steps: int = 0) -> str:
        """Return a code that was not used yet, of a step that is now or was."""
        return self._app.generate_otp(int(self._clock.seconds) // 30 + steps)

    def next_code(self) -> str:
        self._clock.seconds += 30
        return self.code()


def set_up(visitor: Visitor, clock: Clock) -> tuple[Phone, list[str]]:
    page = soup(visitor.post("/account/2fa/begin"))
    phone = Phone(the(page, "code.tokens__secret").text.replace(" ", ""), clock)
    done = visitor.post("/account/2fa/on", {"code": phone.code()})
    assert done.status_code == 200, done.text
    return phone, [one.text for one in soup(done).select(".recovery code")]


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


def let_pass(backend: Backend) -> None:
    with backend.database.write() as session:
        session.execute(update(Session).values(confirmed_at=utcnow() - RECENT - timedelta(seconds=1)))


def test_every_change_of_it_needs_the_password_and_a_code_and_is_noted(
    ada: Visitor, backend: Backend, clock: Clock
) -> None:
    def noted() -> str:
        return audit.listed(backend.database)[0].verb

    let_pass(backend)
    assert ada.post("/account/2fa/begin").status_code == 403
    page = soup(ada.post("/account/2fa/begin", {"confirm_password": PASSWORD}))
    assert noted() == "two-factor sign-in begun"
    phone = Phone(the(page, "code.tokens__secret").text.replace(" ", ""), clock)
    steps = {
        "on": ({"code": phone.code()}, "two-factor sign-in turned on"),
        "codes": ({}, "recovery codes created"),
        "off": ({}, "two-factor sign-in turned off"),
    }
    for path, (form, verb) in steps.items():
        let_pass(backend)
        assert ada.post(f"/account/2fa/{path}", form).status_code == 403
        assert noted() != verb
        given = {**form, "confirm_password": PASSWORD}
        if path != "on":
            assert ada.post(f"/account/2fa/{path}", given).status_code == 403, "the password alone"
            given["confirm_code"] = phone.next_code()
        assert ada.post(f"/account/2fa/{path}", given).status_code in (200, 303)
        assert noted() == verb
    assert {f"second_factor.{one}" for one in ("begin", "turn_on", "renew_codes", "turn_off")} <= SENSITIVE


def test_a_confirmation_takes_the_password_and_a_code_that_was_not_used(
    ada: Visitor, backend: Backend, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    phone, codes = set_up(ada, clock)
    secret = {"name": "KEY", "value": "v"}
    password = {"confirm_password": PASSWORD}
    let_pass(backend)
    form = the(soup(ada.post("/account/secrets", secret)), "form.card")
    assert [one["name"] for one in form.select("input:not([type=hidden])")] == ["confirm_password", "confirm_code"]
    wrong = ada.post("/account/secrets", {**secret, "confirm_password": "wrong", "confirm_code": phone.next_code()})
    assert "Incorrect password." in the(soup(wrong), "#confirm_password-error").text
    used = ada.post("/account/secrets", {**secret, **password, "confirm_code": "000000"})
    assert "This code is wrong" in the(soup(used), "#confirm_code-error").text
    assert "confirmation failed" in caplog.text
    done = {**secret, **password, "confirm_code": phone.code()}
    assert ada.post("/account/secrets", done).status_code == 303, "a wrong password uses no code up"
    let_pass(backend)
    assert ada.post("/account/secrets", done).status_code == 422
    assert ada.post("/account/secrets", {**done, "confirm_code": codes[0]}).status_code == 303
    let_pass(backend)
    changed = {"current": PASSWORD, "password": "a quite different password"}
    assert ada.post("/account/password", changed).status_code == 403, "what asks for the password asks for a code, too"
    assert ada.post("/account/password", {**changed, **password, "confirm_code": codes[1]}).status_code == 303


def test_guesses_of_codes_are_throttled_in_confirmations(ada: Visitor, backend: Backend, clock: Clock) -> None:
    phone, _codes = set_up(ada, clock)
    let_pass(backend)
    form = {"name": "KEY", "value": "v", "confirm_password": PASSWORD, "confirm_code": "000000"}
    answers = [ada.post("/account/secrets", form).status_code for _ in range(throttle.MOST_PER_PAIR + 1)]
    assert answers == [422] * throttle.MOST_PER_PAIR + [429]
    assert ada.post("/account/secrets", {**form, "confirm_code": phone.next_code()}).status_code == 429


def test_tokens_from_before_it_was_required_wait_until_it_is_set_up(backend: Backend, clock: Clock) -> None:
    before, app = mailing(backend, mail_url=""), mailing(backend, mail_url="", require_2fa="everybody")
    Visitor(before).registered("ada@example.com")
    program = Program.signed_in(before, "ada@example.com")
    assert program.get("/tasks").status_code == 200
    later = Program(app, program.token)
    for answer in (later.get("/tasks"), later.post("/tasks/reverse_text/runs", {"text": "x"})):
        assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
        assert "Turn it on under Account" in answer.get_json()["detail"]
    ada = Visitor(app)
    ada.post("/login", {"email": "ada@example.com", "password": PASSWORD})
    set_up(ada, clock)
    assert later.get("/tasks").status_code == 200


@pytest.mark.parametrize("required", ["administrators", "everybody"])
def test_whoever_must_have_it_is_led_to_where_it_is_turned_on(backend: Backend, clock: Clock, required: str) -> None:
    app = mailing(backend, mail_url="", require_2fa=required)
    boss, ada = (Visitor(app).registered(f"{name}@example.com") for name in ("boss", "ada"))
    users.set_admin(backend.database, boss.email, True)
    assert (ada.get("/").status_code == 200) == (required == "administrators")
    for path in ("/", "/account", "/admin/users/", "/api/docs", "/runs"):
        assert boss.get(path).headers["Location"] == "/account/2fa", path
    assert boss.post("/tasks/reverse_text", {"text": "x"}).headers["Location"] == "/account/2fa"
    assert boss.post("/account/tokens", HX_Request="true").headers["HX-Redirect"] == "/account/2fa"
    assert boss.get("/live/changes").status_code == 401
    assert "must have it" in boss.get("/account/2fa").text
    credentials = {"email": boss.email, "password": PASSWORD}
    assert Program(app).post("/tokens", credentials).status_code == 403
    set_up(boss, clock)
    assert boss.get("/").status_code == 200
    assert boss.post("/account/2fa/off").status_code == 409
    assert boss.post("/logout").status_code == 303


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
