"""Second factors where they are asked for again, and where the operator requires them."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from jobs.runs import audit
from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.authenticator import Clock, Phone, set_up
from tests.support.program import Program
from tests.support.visitor import PASSWORD, Visitor, soup, the
from tests.support.waiting_mails import mailing
from webapp.accounts import second_factors, throttle, users
from webapp.accounts.confirmation import RECENT, SENSITIVE
from webapp.accounts.sessions import Session


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(second_factors, "time", one)
    return one


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
