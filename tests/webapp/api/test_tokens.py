"""Tokens: who gets one, what it allows, and when it ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from jobs.runs import events
from jobs.runs.backend import Backend
from jobs.storage.database import utcnow
from tests.support.people import owner_id
from tests.support.program import Program
from tests.support.visitor import PASSWORD, Visitor, soup, the
from tests.support.waiting import until
from webapp.accounts import tokens, users
from webapp.accounts.tokens import RUNS_READ, RUNS_WRITE, TASKS_READ, Grant, Token


def made(app: Flask, backend: Backend, email: str, *scopes: str, tasks: tuple[str, ...] = ()) -> Program:
    _token, secret = tokens.create(backend.database, owner_id(backend, email), Grant("a test", scopes, tasks))
    return Program(app, secret)


def test_a_token_is_created_on_the_account_page_and_shown_once(app: Flask, ada: Visitor) -> None:
    page = soup(ada.post("/account/tokens", {"name": "Nightly", "scope": ["tasks:read", "runs:write"], "days": "30"}))
    secret = the(page, ".tokens__secret").text
    assert secret.startswith("dw_")
    assert Program(app, secret).get("/tasks").status_code == 200
    again = ada.get("/account").text
    assert "Nightly" in again
    assert secret not in again


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "tasks:read"}, "Enter a name"),
        ({"name": "x" * 101, "scope": "tasks:read"}, "Enter a name"),
        ({"name": "Nightly"}, "Choose at least one"),
    ],
)
def test_a_token_without_a_name_or_scope_is_refused_at_the_field(
    ada: Visitor, form: dict[str, str], error: str
) -> None:
    response = ada.post("/account/tokens", form)
    assert response.status_code == 422
    assert error in the(soup(response), "#tokens .field__error").text


def test_a_password_gets_a_token_that_expires(app: Flask, ada: Visitor) -> None:
    response = Program(app).post("/tokens", {"email": ada.email, "password": PASSWORD})
    assert response.status_code == 201
    assert response.get_json().keys() == {"token", "expires_at"}
    assert Program(app, response.get_json()["token"]).get("/runs").status_code == 200


def test_who_signs_in_again_and_again_loses_the_oldest_token(app: Flask, ada: Visitor, backend: Backend) -> None:
    programs = [Program.signed_in(app, ada.email) for _ in range(tokens.MOST_TOKENS + 1)]
    assert [one.get("/runs").status_code for one in (programs[0], programs[1], programs[-1])] == [401, 200, 200]
    full = ada.post("/account/tokens", {"name": "Nightly", "scope": "runs:read"})
    assert full.status_code == 422
    assert "Revoke one first" in full.text


def test_guessing_a_password_is_stopped_as_at_the_login(app: Flask, ada: Visitor) -> None:
    program = Program(app)
    wrong = [program.post("/tokens", {"email": ada.email, "password": "wrong"}).status_code for _ in range(6)]
    assert wrong == [422] * 5 + [429]
    stopped = program.post("/tokens", {"email": ada.email, "password": PASSWORD})
    assert (stopped.status_code, stopped.headers["Retry-After"]) == (429, "900")


def test_a_token_is_stored_as_a_hash_only(app: Flask, ada: Visitor, backend: Backend, program: Program) -> None:
    with backend.database.read() as session:
        [digest] = session.scalars(select(Token.digest))
    assert program.token.removeprefix("dw_") not in digest


@pytest.mark.parametrize("header", ["", "Bearer dw_unknown", "Basic dw_unknown", "Bearer", "Bearer é", "dw_unknown"])
def test_without_a_valid_token_nothing_is_answered(app: Flask, header: str) -> None:
    response = Program(app).get("/runs", **({"Authorization": header} if header else {}))
    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_cookie_means_nothing(ada: Visitor) -> None:
    assert ada.get("/api/v1/runs").status_code == 401
    assert ada.client.post("/api/v1/tasks/reverse_text/runs", json={"text": "x"}).status_code == 401


def test_a_token_in_the_address_means_nothing(app: Flask, program: Program) -> None:
    assert Program(app).get(f"/runs?token={program.token}&access_token={program.token}").status_code == 401


def test_a_token_means_nothing_to_pages(app: Flask, program: Program) -> None:
    response = app.test_client().get("/runs", headers={"Authorization": f"Bearer {program.token}"})
    assert response.status_code == 302


def test_a_scope_that_is_missing_is_named(app: Flask, ada: Visitor, backend: Backend) -> None:
    reader = made(app, backend, ada.email, TASKS_READ, RUNS_READ)
    response = reader.post("/tasks/reverse_text/runs", {"text": "x"})
    assert response.status_code == 403
    assert "runs:write" in response.get_json()["detail"]


def test_a_token_for_one_task_sees_no_other(app: Flask, ada: Visitor, backend: Backend, program: Program) -> None:
    other = program.submit("factorise", number=6)["id"]
    narrow = made(app, backend, ada.email, TASKS_READ, RUNS_READ, RUNS_WRITE, tasks=("reverse_text",))
    own = narrow.submit("reverse_text", text="x")["id"]
    assert [task["name"] for task in narrow.get("/tasks").get_json()["tasks"]] == ["reverse_text"]
    assert narrow.get(f"/runs/{own}").status_code == 200
    for path in ("/tasks/factorise", f"/runs/{other}", f"/runs/{other}/output"):
        assert narrow.get(path).status_code == 404
    assert narrow.post("/tasks/factorise/runs", {"number": 6}).status_code == 404
    assert narrow.post(f"/runs/{other}/cancel").status_code == 404
    assert narrow.get("/runs").status_code == 403
    assert [run["id"] for run in narrow.get("/runs?task=reverse_text").get_json()["runs"]] == [own]


def test_a_revoked_token_ends_at_once(ada: Visitor, program: Program, backend: Backend) -> None:
    [token] = tokens.listed(backend.database, owner_id(backend, ada.email))
    assert ada.post(f"/account/tokens/{token.id}/revoke").status_code == 303
    assert program.get("/runs").status_code == 401


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_what_waits_with_a_revoked_token_ends_at_once(
    ada: Visitor, program: Program, backend: Backend, accept: str
) -> None:
    run_id = program.submit("reverse_text", text="secret")["id"]
    [token] = tokens.listed(backend.database, owner_id(backend, ada.email))
    began = time.monotonic()

    def wait() -> TestResponse:
        response = program.get(f"/runs/{run_id}?wait=60&version=1", Accept=accept, Last_Event_ID="1")
        response.get_data()  # until the stream ends
        return response

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        until(lambda: backend.redis.pubsub_channels(events.channel(token.owner_id)), "the subscription")
        ada.post(f"/account/tokens/{token.id}/revoke")
        response = waiting.result(timeout=50)
    assert time.monotonic() - began < 50
    assert response.status_code == (401 if accept == "application/json" else 200)
    assert "secret" not in response.text


def test_nobody_else_revokes_a_token(ada: Visitor, ben: Visitor, program: Program, backend: Backend) -> None:
    [token] = tokens.listed(backend.database, owner_id(backend, ada.email))
    ben.post(f"/account/tokens/{token.id}/revoke")
    assert program.get("/runs").status_code == 200


def test_an_expired_token_ends(program: Program, backend: Backend) -> None:
    with backend.database.write() as session:
        session.execute(update(Token).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert program.get("/runs").status_code == 401


def test_the_tokens_of_a_disabled_account_end(ada: Visitor, program: Program, backend: Backend) -> None:
    users.set_active(backend.database, ada.email, False)
    assert program.get("/runs").status_code == 401
    users.set_active(backend.database, ada.email, True)
    assert program.get("/runs").status_code == 200
