"""The password, asked for again before rights, secrets and tokens are changed."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from jobs.runs import audit, groups
from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.people import owner_id
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import confirmation, throttle, users
from webapp.accounts.confirmation import ASKING, ORDINARY, SENSITIVE, SENSITIVE_CALLS
from webapp.accounts.sessions import Session

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "secrets.put": ("/account/secrets", {"name": "KEY", "value": 'line 1\r\n<b>"2"'}),
    "secrets.delete": ("/account/secrets/KEY/delete", {}),
    "tokens.create": ("/account/tokens", {"name": "t", "scope": ["files", "runs:read"], "days": "30"}),
    "webhooks.create": ("/account/webhooks", {"url": "https://example.com/hook"}),
    "webhooks.rotate": ("/account/webhooks/1/secret", {}),
    "export.download": ("/account/export", {}),
    "groups.add": ("/admin/groups/1/members", {"email": "ben@example.com"}),
    "admin_tasks.set_groups": ("/admin/tasks/reverse_text/groups", {"who": "everybody"}),
    "users.set_groups": ("/admin/users/{ben}/groups", {"group": "2"}),
    "users.invite": ("/admin/users/invitations", {"email": "vera@example.com", "role": "administrator"}),
    "users.set_role": ("/admin/users/{ben}/role", {"role": "administrator"}),
    "users.reset": ("/admin/users/{ben}/reset", {}),
    "user.change_address": ("/admin/users/{ben}/address", {"email": "ben@example.org"}),
    "users.set_active": ("/admin/users/{ben}/active", {"active": "no"}),
    "retention.create": ("/admin/retention/", {"days": "90"}),
}


@pytest.fixture
def boss(app: Flask, backend: Backend, ada: Visitor) -> Visitor:
    users.set_admin(backend.database, ada.email, True)
    return ada


def let_pass(backend: Backend) -> None:
    with backend.database.write() as session:
        session.execute(update(Session).values(confirmed_at=utcnow() - confirmation.RECENT - timedelta(seconds=1)))


def test_every_changing_address_of_accounts_is_decided_on(app: Flask) -> None:
    changing = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set())
        and rule.rule.startswith(("/account", "/admin"))
        and not rule.endpoint.startswith("rq_dashboard.")
    }
    decided = [*SENSITIVE, *ORDINARY, *ASKING]
    assert len(decided) == len(set(decided))
    by_provider = {"sso.link", "sso.unlink"}  # which this application has none of
    assert changing | by_provider == set(decided), "decide in confirmation.py if it needs the password"
    elsewhere = {endpoint for endpoint in SENSITIVE if endpoint.startswith(("second_factor.", "addresses.", "sso."))}
    elsewhere |= {"user.reset_second_factor", "sessions.end", "sessions.end_others"}
    assert set(FORMS) == SENSITIVE - elsewhere, "it is tried here"
    calls = {rule.endpoint.removeprefix("api.") for rule in app.url_map.iter_rules()}
    assert calls >= SENSITIVE_CALLS


def test_the_password_is_asked_for_and_leads_on_with_what_was_entered(
    boss: Visitor, ben: Visitor, backend: Backend
) -> None:
    ben_id = owner_id(backend, ben.email)
    for name in ("finance", "support"):
        groups.create(backend.database, name)
    for endpoint, (path, form) in FORMS.items():
        let_pass(backend)
        address, entries = path.format(ben=ben_id), len(audit.listed(backend.database))
        asked = boss.post(address, form)
        assert asked.status_code == 403, endpoint
        wrong = boss.post(address, {**form, "confirm_password": "wrong"})
        assert wrong.status_code == 422
        assert "Incorrect password." in wrong.text
        assert len(audit.listed(backend.database)) == entries, f"{endpoint} has changed something"
        sent = the(soup(wrong), "form.card")
        assert sent["action"] == address
        kept: dict[str, list[str]] = {}
        for field in sent.select("input[type=hidden][name]"):
            kept.setdefault(str(field["name"]), []).append(str(field["value"]))
        assert kept == {name: value if isinstance(value, list) else [value] for name, value in form.items()}
        done = boss.post(address, {**kept, "confirm_password": PASSWORD})
        assert done.status_code in (200, 303), endpoint
        assert len(audit.listed(backend.database)) == entries + 1, endpoint
        assert boss.post(*FORMS["secrets.put"][:1], FORMS["secrets.put"][1]).status_code == 303, "not again so soon"
    assert backend.vault.names(owner_id(backend, boss.email)) == ["KEY"]
    assert backend.vault.values(owner_id(backend, boss.email), ["KEY"])["KEY"] == 'line 1\n<b>"2"'


def test_nobody_extends_a_session_without_the_password(ada: Visitor, backend: Backend) -> None:
    let_pass(backend)
    assert ada.post("/account/sessions/end").status_code == 403
    assert ada.post("/account/tokens/7/revoke").status_code == 303, "what only takes away needs none"
    with backend.database.write() as session:
        session.execute(update(Session).values(confirmed_at=None))
    assert ada.post("/account/secrets", {"name": "KEY", "value": "v"}).status_code == 403


def test_guesses_are_throttled_as_those_at_sign_in(ada: Visitor, backend: Backend) -> None:
    let_pass(backend)
    form = {"name": "KEY", "value": "v", "confirm_password": "wrong"}
    answers = [ada.post("/account/secrets", form).status_code for _ in range(throttle.MOST_PER_PAIR + 1)]
    assert answers == [422] * throttle.MOST_PER_PAIR + [429]
    assert ada.post("/account/secrets", {**form, "confirm_password": PASSWORD}).status_code == 429


def test_htmx_gets_the_form_in_place_of_the_one_it_sent(ada: Visitor, backend: Backend) -> None:
    let_pass(backend)
    body = {"_body": '{"url": "https://example.com/"}'}
    asked = ada.post("/api/docs/create_webhook", body, HX_Request="true")
    assert asked.status_code == 403
    assert "<html" not in asked.text
    form = the(soup(asked), "form")
    assert the(form, "input[name=_body]")["value"] == body["_body"]
    done = ada.post(str(form["action"]), {**body, "confirm_password": PASSWORD})
    assert "201 Created" in done.text
