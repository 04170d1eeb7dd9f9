"""Deleting one's account with everything that belongs to it."""

import pytest
from flask import Flask
from sqlalchemy import inspect, text

from jobs.runs import deletion, groups, lease, shares
from jobs.runs.backend import Backend
from jobs.runs.run import State
from tests.support.people import claimed, make_run, note_file, owner_id
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import identities
from webapp.accounts.provider import Claims

OF_PEOPLE = ("owner_id", "inviter_id", "member_id", "person_id")


def rows_of(backend: Backend, user_id: int) -> set[str]:
    """Return the tables that still know a user or, as there is nobody else's, any run."""
    found = set()
    with backend.database.read() as session:
        for table in inspect(backend.database.engine).get_table_names():
            names = {column["name"] for column in inspect(backend.database.engine).get_columns(table)}
            conditions = [f"{name} = {user_id}" for name in OF_PEOPLE if name in names]
            conditions += ["run_id > 0"] if "run_id" in names else []
            if conditions and session.scalar(text(f"SELECT count(*) FROM {table} WHERE {' OR '.join(conditions)}")):
                found.add(table)
    return found


def test_an_account_goes_with_everything_that_is_its_users(
    app: Flask, ada: Visitor, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "RUNS_AT_ONCE", 2)
    ada_id = owner_id(backend, ada.email)
    running = claimed(backend, make_run(backend, ada_id))
    for state in (State.QUEUED, State.SUCCEEDED, State.FAILED):
        note_file(backend, make_run(backend, ada_id, state=state).id, b"hers", "text/plain")
    ada.post("/account/secrets", {"name": "API_TOKEN", "value": "s"})
    ada.post("/account/tokens", {"name": "t", "scope": "files", "days": "30"})
    ada.post("/pins", {"pin": "reverse_text"})
    ada.post("/tasks/reverse_text/presets", {"text": "abc"})
    groups.add_member(backend.database, groups.create(backend.database, "finance").id, ada_id)
    identities.link(backend.database, ada_id, Claims("https://id.example", "ada", "", frozenset()), backend.settings)
    shares.with_person(backend, ada_id, running.id, "ben@example.com", shares.Parts(log=True))
    shares.by_link(backend, ada_id, running.id, shares.Parts(), shares.Terms())
    phone = Visitor(app)
    phone.post("/login", {"email": ada.email, "password": PASSWORD})
    response = ada.post("/account/delete", {"confirmation": PASSWORD})
    assert (response.status_code, response.headers["Location"]) == (303, "/login")
    assert rows_of(backend, ada_id) == set()
    assert not lease.succeed(backend.database, running, "late")
    assert phone.get("/").status_code == 302
    assert ada.post("/login", {"email": ada.email, "password": PASSWORD}).status_code == 422
    Visitor(app).registered(ada.email)


def test_a_wrong_password_deletes_nothing(ada: Visitor, backend: Backend) -> None:
    run = make_run(backend, owner_id(backend, ada.email))
    response = ada.post("/account/delete", {"confirmation": "wrong"})
    assert response.status_code == 422
    assert "Incorrect password." in the(soup(response), "#confirmation-error").text
    assert ada.get(f"/runs/{run.id}").status_code == 200
