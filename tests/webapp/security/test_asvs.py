"""26 requirements of the OWASP Application Security Verification Standard 5.0, level 2, each by its number.

They are of the chapters on encoding, validation, API and WebSocket, files, authentication, sessions and authorization.
Elsewhere the same is tested more closely; here a reader of the standard finds what holds.
"""

import io
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from jobs.runs.backend import Backend
from jobs.runs.people import Role
from jobs.storage.database import utcnow
from tests.conftest import opened
from tests.support.people import make_run, note_file, owner_id, run_of
from tests.support.program import Program
from tests.support.visitor import ORIGIN, PASSWORD, Visitor, soup, the
from tests.webapp.conftest import CompiledTemplates
from webapp import create_app
from webapp.accounts import confirmation, resets, second_factors, sessions, throttle, tokens, users
from webapp.accounts.sessions import LONGEST, UNUSED, Session
from webapp.accounts.tokens import Grant

SCRIPT = "<script>alert(1)</script>"
ELSEWHERE = "203.0.113.9"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Backend]:
    with opened(tmp_path_factory.mktemp("asvs"), redis_url, empty_database) as one:
        yield one


@pytest.fixture(scope="module")
def app(backend: Backend) -> Iterator[Flask]:
    """One application for all: each test has people of its own."""
    made = create_app(backend)
    made.jinja_env.bytecode_cache = CompiledTemplates()
    yield made
    made.extensions["hub"].end()


@pytest.fixture
def ada(app: Flask) -> Visitor:
    return Visitor(app).registered(f"ada-{secrets.token_hex(4)}@example.com")


@pytest.fixture
def ben(app: Flask) -> Visitor:
    return Visitor(app).registered(f"ben-{secrets.token_hex(4)}@example.com")


@pytest.fixture
def boss(app: Flask, backend: Backend) -> Visitor:
    visitor = Visitor(app).registered(f"boss-{secrets.token_hex(4)}@example.com")
    users.set_admin(backend.database, visitor.email, True)
    return visitor


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


def upload(visitor: Visitor, name: str, content: bytes = b"one two") -> TestResponse:
    sent = {"texts": (io.BytesIO(content), name), "most": "3"}
    return visitor.client.post("/tasks/count_words", data=sent, headers=ORIGIN)


def test_v1_2_1_what_a_user_types_is_escaped_on_every_page(ada: Visitor) -> None:
    run_id = ada.submit("reverse_text", text=SCRIPT)
    for path in ("/", "/runs", f"/runs/{run_id}", f"/tasks/reverse_text?run={run_id}", f"/runs?task={SCRIPT}"):
        assert SCRIPT not in ada.get(path).text, path


def test_v1_3_6_the_server_sends_no_request_to_an_address_within_its_network(ada: Visitor) -> None:
    for host in ("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "0x7f.1", "2130706433"):
        assert ada.post("/account/webhooks", {"url": f"https://{host}/"}).status_code == 422, host


def test_v2_4_1_accounts_are_not_created_by_the_hundred(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_REGISTRATIONS", 3)
    stranger = Visitor(app)
    stranger.client.environ_base["REMOTE_ADDR"] = "198.51.100.4"
    answers = []
    for _ in range(4):
        email = f"{secrets.token_hex(4)}@example.com"
        answers.append(stranger.post("/register", {"email": email, "password": PASSWORD}).status_code)
        stranger.client.delete_cookie("dumbwaiter")
    assert answers == [303, 303, 303, 429]


def test_v4_1_1_every_answer_names_its_type_and_charset(app: Flask, ada: Visitor, boss: Visitor) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.arguments and "GET" in (rule.methods or ()) and not rule.websocket:
            answer = boss.get(rule.rule)
            kind = answer.content_type
            if answer.data:
                assert kind.startswith(("application/", "image/")) or "charset=utf-8" in kind, (rule.rule, kind)
            answer.close()


def test_v4_1_3_what_a_proxy_says_is_not_believed_of_a_visitor(app: Flask, ada: Visitor) -> None:
    for number in range(throttle.MOST_PER_PAIR):
        said = {"X_Forwarded_For": f"203.0.113.{number}", "X_Real_Ip": "::1", "Forwarded": "for=1.1.1.1"}
        Visitor(app).post("/login", {"email": ada.email, "password": "wrong"}, **said)
    sent = {"email": ada.email, "password": PASSWORD}
    assert Visitor(app).post("/login", sent, X_Forwarded_For="203.0.113.99").status_code == 429
    answer = ada.get("/login?next=/runs", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert answer.headers["Location"] == "/runs"


def test_v4_4_2_a_websocket_must_come_from_a_page_of_this_site(ada: Visitor) -> None:
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:81"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", **ORIGIN},
        {},
    ):
        assert ada.get("/live", headers={**handshake, **headers}).status_code == 403, headers


def test_v5_2_1_a_file_larger_than_a_form_takes_is_refused(ada: Visitor) -> None:
    sent = {"texts": (io.BytesIO(b"x"), "a.txt")}
    enormous = {"CONTENT_LENGTH": str(10**12)}
    answer = ada.client.post("/tasks/count_words", data=sent, headers=ORIGIN, environ_overrides=enormous)
    assert answer.status_code == 413
    answer = ada.client.post("/tasks/reverse_text", data={"text": "x" * 2_000_000}, headers=ORIGIN)
    assert answer.status_code == 413


def test_v5_3_1_an_uploaded_page_is_not_executed(ada: Visitor, backend: Backend) -> None:
    run = make_run(backend, owner_id(backend, ada.email))
    for name, media_type in (("a.html", "text/html"), ("a.svg", "image/svg+xml"), ("a.js", "text/javascript")):
        file = note_file(backend, run.id, SCRIPT.encode() + name.encode(), media_type, name)
        answer = ada.get(f"/runs/{run.id}/files/{file.sha256}")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_v5_3_2_the_name_of_an_upload_leads_to_no_path(ada: Visitor, backend: Backend) -> None:
    before = set(backend.settings.data_dir.parent.rglob("*"))
    for name in ("../../escaped.txt", "/tmp/escaped.txt", "..\\escaped.txt", "a\x00/../escaped.txt"):
        answer = upload(ada, name)
        assert answer.status_code == 303, name
        run = run_of(backend, int(answer.headers["Location"].rpartition("/")[2]))
        assert re.fullmatch(r"[^/\\\x00]+", run.parameters["texts"][0]["$file"]["name"])
    made = set(backend.settings.data_dir.parent.rglob("*")) - before
    assert not [path for path in made if "escaped" in path.name]


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


def test_v8_2_1_functions_are_for_those_whose_role_has_them(app: Flask, ada: Visitor, backend: Backend) -> None:
    users.set_role(backend.database, owner_id(backend, ada.email), Role.VIEWER)
    assert ada.post("/tasks/reverse_text", {"text": "x"}).status_code == 403
    administration = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin/")]
    for path in (re.sub("<[^>]*>", "1", rule) for rule in administration):
        assert {ada.get(path).status_code, ada.post(path).status_code} <= {403, 404, 405}, path


def test_v8_2_2_nobody_reaches_the_data_of_another_by_its_number(app: Flask, ada: Visitor, ben: Visitor) -> None:
    run_id = ada.submit("reverse_text", text="only hers")
    program = Program.signed_in(app, ben.email)
    for rest in ("", "/log.txt", "/everything.zip"):
        assert ben.get(f"/runs/{run_id}{rest}").status_code == 404
    for rest in ("cancel", "retry", "delete"):
        assert ben.post(f"/runs/{run_id}/{rest}").status_code == 404
    assert program.get(f"/runs/{run_id}").status_code == 404
    assert "only hers" not in ben.get(f"/runs?before={run_id + 1}").text


def test_v8_2_3_fields_that_are_not_a_users_to_set_are_not_set(ada: Visitor, backend: Backend) -> None:
    more = {"role": "administrator", "is_active": "1", "weight": "100", "owner_id": "1", "state": "succeeded"}
    run_id = ada.submit("reverse_text", text="x", **more)
    ada.post("/account/password", {"current": PASSWORD, "password": "a quite different password", **more})
    user = users.with_email(backend.database, ada.email)
    assert user
    assert (user.role, user.weight, run_of(backend, run_id).owner_id) == (Role.MEMBER, 1, user.id)
