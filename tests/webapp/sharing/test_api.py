"""Shares through the API."""

from typing import Any

import pytest
from flask import Flask

from jobs.runs import groups
from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor
from tests.webapp.sharing.conftest import RESULT, Secretive
from webapp.accounts import tokens
from webapp.accounts.tokens import RUNS_READ, Grant


def test_a_program_shares_lists_and_revokes(
    app: Flask, ada: Visitor, ben: Visitor, visitor: Visitor, backend: Backend, secretive: Secretive
) -> None:
    mine, theirs = Program.signed_in(app, ada.email), Program.signed_in(app, ben.email)
    groups.add_member(backend.database, groups.create(backend.database, "finance").id, owner_id(backend, ada.email))
    path = f"/runs/{secretive.id}/shares"
    assert mine.get(path).get_json() == {"shares": []}
    person = mine.post(path, {"email": "Ben@example.com", "parts": ["log"]})
    assert person.status_code == 201
    about = {name: person.get_json()[name] for name in ("kind", "email", "group", "parts", "expires_at")}
    assert about == {"kind": "person", "email": "ben@example.com", "group": None, "parts": ["log"], "expires_at": None}
    assert mine.post(path, {"group": "finance"}).get_json()["group"] == "finance"
    link = mine.post(path, {"link": {"days": 7, "signed_in": False}, "parts": ["parameters"]}).get_json()
    assert RESULT in visitor.get(link["url"]).text
    listed = mine.get(path).get_json()["shares"]
    assert [one["kind"] for one in listed] == ["person", "group", "link"]
    assert (listed[2]["visits"], "url" in listed[2]) == (1, False)
    seen = theirs.get(f"/runs/{secretive.id}").get_json()
    assert (seen["parameters"], seen["shared"]) == ({}, {"by": ada.email, "parts": ["log"]})
    assert "url" not in str(seen["result"])
    assert mine.get(f"/runs/{secretive.id}").get_json()["shared"] is None
    for one in listed:
        assert mine.delete(f"{path}/{one['id']}").status_code == 204
        assert mine.delete(f"{path}/{one['id']}").status_code == 404
    assert visitor.get(link["url"]).status_code == 404
    assert theirs.get(f"/runs/{secretive.id}").status_code == 404
    _token, reader = tokens.create(backend.database, secretive.owner_id, Grant("reader", (RUNS_READ,)))
    assert Program(app, reader).get(path).status_code == 403
    _token, other = tokens.create(backend.database, secretive.owner_id, Grant("other", tasks=("factorise",)))
    assert Program(app, other).post(path, {"email": "ben@example.com"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"email": "ben@example.com", "group": "finance"}, ""),
        ({"email": 1}, "/email"),
        ({"email": "nobody"}, "/email"),
        ({"email": "ben@example.com", "parts": ["traceback"]}, "/parts"),
        ({"email": "ben@example.com", "parts": "log"}, "/parts"),
        ({"email": "ben@example.com", "everything": True}, "/everything"),
        ({"group": "unknown"}, "/group"),
        ({"group": ["finance"]}, "/group"),
        ({"link": True}, "/link"),
        ({"link": {"days": True}}, "/link"),
        ({"link": {"forever": 1}}, "/link"),
        ({"link": {"days": 10**30}}, "/link/days"),
    ],
)
def test_a_body_that_cannot_be_shared_names_the_part(
    app: Flask, ada: Visitor, secretive: Secretive, body: dict[str, Any], pointer: str
) -> None:
    answer = Program.signed_in(app, ada.email).post(f"/runs/{secretive.id}/shares", body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.get_json()["errors"]] == [pointer]
