"""The audit log: every change of accounts, rights, tokens and secrets, and what an administrator sees of it."""

import csv
import io
import logging
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import delete, update

from jobs.runs import audit, groups, heartbeats
from jobs.runs.audit import AuditEntry
from jobs.runs.backend import Backend
from jobs.runs.file_ownership import note_uploads
from jobs.runs.run import State
from jobs.runs.shares import Share
from jobs.values.stored_file import RunFile
from tests.support.people import make_run, owner_id
from tests.support.visitor import PASSWORD, Visitor, soup, the
from tests.support.waiting_mails import link_in, mailed, mailing
from webapp.accounts import invitations, resets, tokens, users
from webapp.accounts.tokens import Grant

NEW = "a quite different password"
# Endpoints that change something without an entry: only its owner changes a run, and its row says when it was started.
RUNS = {"tasks.run", "tasks.check", "runs.cancel", "runs.retry", "annotations.save", "annotations.star"}
PREFERENCES = {"preferences.set_theme", "preferences.set_shortcuts", "pins.change"}
SENT_AGAIN = {"webhooks.send", "api.send_delivery"}
OF_PROGRAMS = {"api.submit", "api.cancel", "api.retry", "api.delete", "api.files", "api.tokens"}
OF_PROGRAMS |= {"mcp.receive", "docs.attempt", "api.share", "api.delete_share"}
OF_PROGRAMS |= {f"api.{verb}_webhook" for verb in ("create", "rotate", "enable", "delete")}


def newest(backend: Backend, verb: str) -> AuditEntry:
    entries = audit.listed(backend.database, verb=verb)
    assert entries, f"{verb} was not noted"
    return entries[0]


def test_every_change_is_noted_with_who_made_it(app: Flask, boss: Visitor, ada: Visitor, backend: Backend) -> None:
    database, run = backend.database, make_run(backend, owner_id(backend, ada.email), state=State.FAILED)
    ada_id = owner_id(backend, ada.email)
    for name in ("finance", "support"):
        groups.create(database, name)
    phone = Visitor(app)
    heartbeats.seen(database, "here")
    shared = make_run(backend, ada_id)
    boss_id = owner_id(backend, boss.email)
    given = Share(run_id=make_run(backend, boss_id).id, owner_id=boss_id, parameters=True, log=True, files=True)
    with database.write() as session:
        session.add(given)
    sent = RunFile(*backend.files.put(b"sent"), "sent.txt", "text/plain")
    note_uploads(database, ada_id, [sent], 1000)
    steps = {
        "auth.sign_in": ("logged in", phone, "/login", {"email": ada.email, "password": PASSWORD}),
        "secrets.put": ("secret saved", ada, "/account/secrets", {"name": "API_TOKEN", "value": "x"}),
        "secrets.delete": ("secret deleted", ada, "/account/secrets/API_TOKEN/delete", {}),
        "export.download": ("data exported", ada, "/account/export", {}),
        "tokens.create": ("token created", ada, "/account/tokens", {"name": "t", "scope": "files", "days": "0"}),
        "tokens.revoke": ("token revoked", ada, "/account/tokens/1/revoke", {}),
        "shares.create": ("run shared", ada, f"/runs/{shared.id}/shares", {"kind": "person", "email": "x@example.com"}),
        "shares.revoke": ("share revoked", ada, f"/runs/{shared.id}/shares/2/revoke", {}),
        "runs.delete": ("run deleted", ada, f"/runs/{run.id}/delete", {}),
        "space.delete_upload": ("upload deleted", ada, f"/account/space/uploads/{sent.sha256}/delete", {}),
        "bulk.begin": ("bulk action begun", ada, "/runs/bulk", {"action": "delete", "below": "9"}),
        "bulk.stop": ("bulk action ended", ada, "/runs/bulk/1/abort", {}),
        "preferences.save": ("preferences changed", ada, "/account/preferences", {"zone": "Asia/Tokyo"}),
        "runs.save_filter": ("filter saved", ada, "/runs/filters", {"q": "state:failed", "name": "bad"}),
        "runs.rename_filter": ("filter renamed", ada, "/runs/filters/1/rename", {"name": "worse"}),
        "runs.delete_filter": ("filter deleted", ada, "/runs/filters/1/delete", {}),
        "presets.save": ("preset saved", ada, "/tasks/reverse_text/presets", {"text": "x"}),
        "presets.change": ("preset changed", ada, "/tasks/reverse_text/presets/1", {"name": "mine"}),
        "presets.delete": ("preset deleted", ada, "/tasks/reverse_text/presets/1/delete", {}),
        "sessions.end": ("logged out", ada, "/account/sessions/3/end", {}),
        "sessions.end_others": ("logged out everywhere", ada, "/account/sessions/end", {}),
        "auth.change_password": ("password changed", ada, "/account/password", {"current": PASSWORD, "password": NEW}),
        "webhooks.create": ("webhook created", ada, "/account/webhooks", {"url": "https://example.com/hook"}),
        "webhooks.rotate": ("webhook's secret changed", ada, "/account/webhooks/1/secret", {}),
        "webhooks.enable": ("webhook enabled", ada, "/account/webhooks/1/enable", {}),
        "webhooks.delete": ("webhook deleted", ada, "/account/webhooks/1/delete", {}),
        "users.invite": ("invitation created", boss, "/admin/users/invitations", {"email": "vera@example.com"}),
        "users.revoke": ("invitation revoked", boss, "/admin/users/invitations/1/revoke", {}),
        "users.set_role": ("role changed", boss, f"/admin/users/{ada_id}/role", {"role": "administrator"}),
        "users.end_sessions": ("logged out everywhere", boss, f"/admin/users/{ada_id}/sessions/end", {}),
        "users.reset": ("reset link created", boss, f"/admin/users/{ada_id}/reset", {}),
        "workers.drain": ("worker drained", boss, "/admin/workers/here/drain", {}),
        "workers.resume": ("worker resumed", boss, "/admin/workers/here/resume", {}),
        "pauses.create": ("paused", boss, "/admin/pauses/", {"what": "everything"}),
        "pauses.resume": ("resumed", boss, "/admin/pauses/resume", {"kind": "everything", "name": ""}),
        "retention.create": ("retention rule created", boss, "/admin/retention/", {"days": "90"}),
        "retention.delete": ("retention rule deleted", boss, "/admin/retention/1/delete", {}),
        "users.set_groups": ("groups changed", boss, f"/admin/users/{ada_id}/groups", {"group": "2"}),
        "groups.create": ("group created", boss, "/admin/groups/", {"name": "sales"}),
        "groups.rename": ("group renamed", boss, "/admin/groups/1/name", {"name": "money"}),
        "groups.add": ("groups changed", boss, "/admin/groups/1/members", {"email": ada.email}),
        "groups.remove": ("groups changed", boss, f"/admin/groups/1/members/{ada_id}/remove", {}),
        "groups.delete": ("group deleted", boss, "/admin/groups/1/delete", {}),
        "admin_tasks.set_groups": (
            "task's groups changed",
            boss,
            "/admin/tasks/reverse_text/groups",
            {"who": "everybody"},
        ),
        "user.set_caps": ("caps changed", boss, f"/admin/users/{ada_id}/caps", {"queued_runs": "3"}),
        "user.cancel": ("runs cancelled", boss, f"/admin/users/{ada_id}/cancel", {}),
        "admin_shares.revoke": ("share revoked", boss, f"/admin/shares/{given.id}/revoke", {}),
        "users.set_active": ("account disabled", boss, f"/admin/users/{ada_id}/active", {"active": "no"}),
    }
    for verb, who, path, form in steps.values():
        assert who.post(path, form).status_code in (200, 303), path
        assert newest(backend, verb).actor == (who.email or ada.email), path
    users.set_active(database, ada.email, True)
    phone.post("/reset", {"link": resets.create(backend, ada_id), "password": PASSWORD})
    assert newest(backend, "password reset").object == ada.email
    phone.post("/logout")
    assert newest(backend, "logged out").actor == ada.email
    invited = {"invitation": invitations.create(backend, "vera@example.com"), "password": PASSWORD}
    Visitor(app).post("/register", invited)
    assert newest(backend, "account created").object == "vera@example.com"
    boss.post(f"/admin/users/{ada_id}/address", {"email": "ada@example.org"})
    assert newest(backend, "address changed").object == ada.email
    boss.post("/account/delete", {"confirmation": PASSWORD})
    assert newest(backend, "account deleted").object == boss.email
    by_mail = Visitor(mailing(backend, registration="open"))
    by_mail.post("/register", {"email": "mira@example.com"})
    assert newest(backend, "registration begun").object == "mira@example.com"
    by_mail.post("/reset/mail", {"email": "vera@example.com"})
    assert newest(backend, "reset link created").object == "vera@example.com"
    (_, _, text), _ = mailed(backend)
    link = parse_qs(urlsplit(link_in(text)).query)["link"][0]
    by_mail.post("/register/confirm", {"link": link, "password": PASSWORD})
    assert newest(backend, "account created").object == "mira@example.com"
    known = {*steps, "registration.create", "registration.set_password", "auth.logout", "auth.delete_account"}
    known |= {"proofs.finish", "proofs.send_link"}
    # Tried where their codes and mails are: tests/webapp/accounts/test_second_factor.py and test_addresses.py
    known |= {"addresses.begin", "addresses.change", "user.reset_second_factor", "user.change_address"}
    known |= {f"second_factor.{name}" for name in ("begin", "turn_on", "turn_off", "renew_codes", "check_code")}
    changing = {rule.endpoint for rule in app.url_map.iter_rules() if {"POST", "DELETE"} & (rule.methods or set())}
    changing = {endpoint for endpoint in changing if not endpoint.startswith("rq_dashboard.")}
    assert changing - RUNS - PREFERENCES - SENT_AGAIN - OF_PROGRAMS == known, (
        "an address changes something, and no entry of it is tried here"
    )


def test_an_entry_says_what_was_before_and_after_and_where_it_came_from(
    boss: Visitor, ada: Visitor, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "dumbwaiter.security"):
        boss.post(f"/admin/users/{owner_id(backend, ada.email)}/role", {"role": "administrator"})
    assert 'role changed: ada@example.com {"role": "member"} -> {"role": "administrator"} by boss@' in caplog.text
    assert "by boss@example.com from 127.0.0.1, request " in caplog.text
    entry = newest(backend, "role changed")
    assert (entry.object, entry.before, entry.after) == (ada.email, {"role": "member"}, {"role": "administrator"})
    assert entry.ip_address == "127.0.0.1"
    assert len(entry.request_id) == 16


def test_a_change_that_is_refused_leaves_no_entry(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    before = len(audit.listed(backend.database))
    ada.post("/account/secrets", {"name": "not a name", "value": "x"})
    ada.post("/account/tokens/99/revoke")
    ada.post("/account/password", {"current": "wrong", "password": NEW})
    boss.post("/admin/users/invitations/99/revoke")
    assert len(audit.listed(backend.database)) == before


def test_every_change_that_is_committed_is_a_line_of_the_security_log(
    boss: Visitor, ada: Visitor, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    ada_id = owner_id(backend, ada.email)
    with caplog.at_level(logging.INFO, "dumbwaiter.security"):
        boss.post(f"/admin/users/{ada_id}/role", {"role": "administrator"})
        with backend.database.write() as session:
            audit.note(session, "role changed", "nobody@example.com")
            session.rollback()
    (line,) = caplog.messages
    assert line.startswith(f"role changed: {ada.email} {{")
    assert line.partition(" -> ")[2].partition(" by ")[2].startswith(f"{boss.email} from 127.0.0.1, request ")


def test_what_the_application_does_by_itself_has_no_person_as_its_actor(ada: Visitor, backend: Backend) -> None:
    users.set_admin(backend.database, ada.email, True)
    assert newest(backend, "role changed").actor == "the application"


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_change_of_the_log_breaks_its_chain(ada: Visitor, backend: Backend, change: str) -> None:
    for is_admin in (True, False, True):
        users.set_admin(backend.database, ada.email, is_admin)
    count, digest, broken = audit.verify(backend.database)
    assert (broken, digest) == (None, newest(backend, "role changed").digest)
    second = audit.listed(backend.database)[1].id
    spoil = update(AuditEntry).values(actor="somebody else") if change == "changed" else delete(AuditEntry)
    with backend.database.write() as session:
        session.execute(spoil.where(AuditEntry.id == second))
    fitting, _digest, broken = audit.verify(backend.database)
    assert broken == second + (change == "removed")
    assert fitting == count - 2


def test_an_administrator_filters_pages_and_exports_the_log(
    boss: Visitor, ada: Visitor, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.admin.audit_views.PAGE_SIZE", 1)
    page = soup(boss.get(f"/admin/audit/?actor={ada.email}"))
    assert "Logged in" in the(page, ".accounts").text
    users.set_admin(backend.database, ada.email, True)
    page = soup(boss.get("/admin/audit/?verb=role%20changed"))
    assert ada.email in the(page, ".accounts").text
    page = soup(boss.get(str(the(page, "a[rel=next]")["href"])))
    assert boss.email in the(page, ".accounts").text
    rows = list(csv.DictReader(io.StringIO(boss.get("/admin/audit/audit.csv").text.lstrip("\ufeff"))))
    assert [row["verb"] for row in rows[:1]] == ["role changed"]
    assert len(rows) == len(audit.listed(backend.database))


def test_changes_at_the_same_time_wait_for_each_other_and_keep_one_chain(ada: Visitor, backend: Backend) -> None:
    database, ada_id = backend.database, owner_id(backend, ada.email)

    def promote(number: int) -> None:
        assert users.set_admin(database, ada.email, bool(number % 2))

    def create(number: int) -> None:
        tokens.create(database, ada_id, Grant(f"token {number}"))

    with ThreadPoolExecutor() as threads:
        changes = [threads.submit(change, number) for number in range(30) for change in (promote, create)]
    for change in changes:
        change.result()
    count, _digest, broken = audit.verify(database)
    assert broken is None
    assert count >= len(changes)
