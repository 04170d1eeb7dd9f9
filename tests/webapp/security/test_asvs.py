"""26 requirements of the OWASP Application Security Verification Standard 5.0, level 2, each by its number.

They are of the chapters on encoding, validation, API and WebSocket, files, authentication, sessions and authorization.
Elsewhere the same is tested more closely; here a reader of the standard finds what holds.
"""

import io
import re
import secrets

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jobs.runs.backend import Backend
from jobs.runs.people import Role
from tests.support.people import make_run, note_file, owner_id, run_of
from tests.support.program import Program
from tests.support.visitor import ORIGIN, PASSWORD, Visitor
from webapp.accounts import throttle, users

SCRIPT = "<script>alert(1)</script>"


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
