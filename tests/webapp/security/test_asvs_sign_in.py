"""The requirements of ASVS 5.0 on authentication and sessions; the others are in test_asvs.py."""

import secrets
from datetime import timedelta

import pyotp
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from jobs.runs.backend import Backend
from jobs.storage.database import utcnow
from tests.support.people import owner_id
from tests.support.program import Program
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import confirmation, resets, second_factors, sessions, throttle, tokens, users
from webapp.accounts.sessions import LONGEST, UNUSED, Session
from webapp.accounts.tokens import Grant

ELSEWHERE = "203.0.113.9"


def log_in(app: Flask, email: str, password: str = PASSWORD, place: str = "127.0.0.1") -> tuple[Visitor, TestResponse]:
    visitor = Visitor(app)
    visitor.client.environ_base["REMOTE_ADDR"] = place
    return visitor, visitor.post("/login", {"email": email, "password": password})


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/account").status_code == 200


def cookie_of(visitor: Visitor) -> str:
    cookie = visitor.client.get_cookie("dumbwaiter")
    assert cookie
    return cookie.value


def with_cookie(app: Flask, value: str) -> Visitor:
    copied = Visitor(app)
    copied.client.set_cookie("dumbwaiter", value)
    return copied


def change_sessions(backend: Backend, visitor: Visitor, **values: object) -> None:
    mine = Session.owner_id == owner_id(backend, visitor.email)
    with backend.database.write() as session:
        session.execute(update(Session).where(mine).values(**values))


def with_second_factor(backend: Backend, visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    user = users.with_email(backend.database, visitor.email)
    assert user
    second_factors.begin(backend, user)
    phone = pyotp.TOTP(second_factors.pending(backend, user) or "")
    return phone, second_factors.turn_on(backend, user, phone.now()) or []


def test_v6_2_1_a_password_has_at_least_8_characters(app: Flask) -> None:
    for password, status in (("x7Kq2mZ", 422), ("x7Kq2mZp", 303)):
        email = f"{secrets.token_hex(4)}@example.com"
        assert Visitor(app).post("/register", {"email": email, "password": password}).status_code == status


def test_v6_2_3_a_change_of_the_password_takes_the_current_one(ada: Visitor) -> None:
    for current in ("", "wrong", PASSWORD.upper()):
        form = {"current": current, "password": "a quite different password"}
        assert ada.post("/account/password", form).status_code == 422
    form = {"current": PASSWORD, "password": "a quite different password"}
    assert ada.post("/account/password", form).status_code == 303


def test_v6_2_4_common_passwords_are_refused_at_registration_and_change(app: Flask, ada: Visitor) -> None:
    for password in ("password", "12345678", "Passw0rd!", "qwertyuiop", "iloveyou"):
        email = f"{secrets.token_hex(4)}@example.com"
        assert Visitor(app).post("/register", {"email": email, "password": password}).status_code == 422, password
        assert ada.post("/account/password", {"current": PASSWORD, "password": password}).status_code == 422, password


def test_v6_2_8_a_password_is_compared_exactly_as_it_was_entered(app: Flask) -> None:
    email, password = f"{secrets.token_hex(4)}@example.com", f" {'Ä long pässword ' * 5} "
    Visitor(app).post("/register", {"email": email, "password": password})
    for other in (password.strip(), password.lower(), password[:72], password + "x"):
        assert log_in(app, email, other)[1].status_code == 422, other
    assert log_in(app, email, password)[1].status_code == 303


def test_v6_3_1_guesses_are_stopped_and_do_not_keep_the_owner_out(app: Flask, ada: Visitor) -> None:
    guesses = [log_in(app, ada.email, f"guess {number}", ELSEWHERE)[1].status_code for number in range(6)]
    assert guesses == [422] * throttle.MOST_PER_PAIR + [429]
    assert log_in(app, ada.email, PASSWORD, ELSEWHERE)[1].status_code == 429
    assert log_in(app, ada.email)[1].status_code == 303


def test_v6_4_1_a_link_for_a_password_works_once_and_expires(app: Flask, ada: Visitor, backend: Backend) -> None:
    user_id = owner_id(backend, ada.email)
    used = resets.create(backend, user_id)
    assert len(used) >= 43, "256 random bits"
    assert Visitor(app).post("/reset", {"link": used, "password": PASSWORD}).status_code == 303
    assert Visitor(app).post("/reset", {"link": used, "password": PASSWORD}).status_code == 403
    expired = resets.create(backend, user_id)
    with backend.database.write() as session:
        session.execute(update(resets.PasswordReset).values(expires_at=utcnow()))
    assert Visitor(app).get(f"/reset?link={expired}").status_code == 403


def test_v6_4_3_a_reset_of_the_password_does_not_go_round_the_second_factor(
    app: Flask, ada: Visitor, backend: Backend
) -> None:
    with_second_factor(backend, ada)
    visitor = Visitor(app)
    link = resets.create(backend, owner_id(backend, ada.email))
    answer = visitor.post("/reset", {"link": link, "password": PASSWORD})
    assert answer.headers["Location"].startswith("/login/code")
    assert not is_in(visitor)


def test_v6_5_1_a_code_is_accepted_once(app: Flask, ada: Visitor, backend: Backend) -> None:
    phone, codes = with_second_factor(backend, ada)
    for code in (phone.now(), codes[0]):
        answers = []
        for _ in range(2):
            visitor, _answer = log_in(app, ada.email)
            answers.append(visitor.post("/login/code", {"code": code}).status_code)
        assert answers[1] == 422, "the first one may have turned the factor on"
    assert answers[0] == 303


def test_v7_2_3_a_session_has_a_random_secret_that_the_database_does_not_know(ada: Visitor, backend: Backend) -> None:
    user = users.with_email(backend.database, ada.email)
    assert user
    one, other = (sessions.begin(backend.database, user).partition(".")[2] for _ in range(2))
    assert one != other
    assert min(len(one), len(other)) >= 43, "256 random bits"
    with backend.database.read() as session:
        kept = str(session.execute(Session.__table__.select()).all())
    assert one not in kept


def test_v7_2_4_a_new_session_id_comes_with_every_login_and_ends_the_one_before(app: Flask, ada: Visitor) -> None:
    before = cookie_of(ada)
    assert ada.post("/login", {"email": ada.email, "password": PASSWORD}).status_code == 303
    assert cookie_of(ada) != before
    assert is_in(ada)
    assert not is_in(with_cookie(app, before))


def test_v7_3_1_and_v7_3_2_a_session_ends_unused_and_at_the_latest_after_a_month(
    ada: Visitor, backend: Backend
) -> None:
    assert timedelta(days=14) >= UNUSED
    assert timedelta(days=30) >= LONGEST
    for values in ({"last_used_at": utcnow() - UNUSED}, {"created_at": utcnow() - LONGEST, "last_used_at": utcnow()}):
        change_sessions(backend, ada, created_at=utcnow(), last_used_at=utcnow())
        assert is_in(ada)
        change_sessions(backend, ada, **values)
        assert not is_in(ada)


def test_v7_4_2_nothing_of_a_disabled_account_goes_on(app: Flask, ada: Visitor, backend: Backend) -> None:
    _token, secret = tokens.create(backend.database, owner_id(backend, ada.email), Grant("t"))
    program = Program(app, secret)
    assert (is_in(ada), program.get("/tasks").status_code) == (True, 200)
    users.set_active(backend.database, ada.email, False)
    assert (is_in(ada), program.get("/tasks").status_code) == (False, 401)
    assert log_in(app, ada.email)[1].status_code == 403


def test_v7_5_1_what_affects_sign_in_takes_the_password_again(ada: Visitor, backend: Backend) -> None:
    asking = {"auth.change_password": "/account/password", "auth.delete_account": "/account/delete"}
    for endpoint in ("second_factor.begin", "second_factor.turn_off", "addresses.begin", "sso.unlink"):
        assert endpoint in confirmation.SENSITIVE
    change_sessions(backend, ada, confirmed_at=utcnow() - confirmation.RECENT)
    for path in ("/account/2fa/begin", "/account/tokens", "/account/secrets"):
        assert ada.post(path).status_code == 403, path
    for path in asking.values():
        assert ada.post(path, {"password": "a quite different password"}).status_code == 422, path


def test_v7_5_2_a_user_sees_all_sessions_and_ends_them_with_the_password(
    app: Flask, ada: Visitor, backend: Backend
) -> None:
    phone, _answer = log_in(app, ada.email)
    rows = soup(ada.get("/account")).select("#sessions li")
    assert len(rows) == 2
    end = str(the(soup(ada.get("/account")), "#sessions li form")["action"])
    for path in (end, "/account/sessions/end"):
        change_sessions(backend, ada, confirmed_at=utcnow() - confirmation.RECENT)
        assert ada.post(path).status_code == 403
        assert is_in(phone)
    assert ada.post(end, {"confirm_password": PASSWORD}).status_code == 303
    assert (is_in(ada), is_in(phone)) == (True, False)
