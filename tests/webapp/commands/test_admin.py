"""Commands that manage users."""

from urllib.parse import parse_qs, urlsplit

import pyotp
from flask import Flask
from sqlalchemy import update

from jobs.runs import Role, audit, groups
from jobs.runs.backend import Backend
from tests.support.visitor import PASSWORD, Visitor
from tests.webapp.commands.test_commands import flask
from webapp.accounts import second_factors, users


def test_an_administrator_is_made_on_the_command_line(shell: Flask, ada: Visitor, backend: Backend) -> None:
    assert ada.get("/admin/rq/").status_code == 403
    said = flask(shell, "admin", "grant", "Ada@example.com")
    assert said.output == "ada@example.com is now an administrator.\n"
    assert ada.get("/admin/rq/").status_code == 200
    flask(shell, "admin", "revoke", "ada@example.com")
    assert ada.get("/admin/rq/").status_code == 403
    refused = flask(shell, "admin", "grant", "eve@example.com")
    assert refused.exit_code == 1
    assert "Register it first" in refused.output
    assert not users.set_admin(backend.database, "eve@example.com", True)


def test_an_account_is_disabled_and_enabled_on_the_command_line(shell: Flask, ada: Visitor) -> None:
    assert flask(shell, "admin", "disable", "Ada@example.com").output == "ada@example.com can no longer sign in.\n"
    assert ada.post("/login", {"email": "ada@example.com", "password": PASSWORD}).status_code == 403
    assert flask(shell, "admin", "enable", "ada@example.com").output == "ada@example.com can sign in again.\n"
    assert ada.post("/login", {"email": "ada@example.com", "password": PASSWORD}).status_code == 303


def test_an_address_is_changed_on_the_command_line(shell: Flask, ada: Visitor, ben: Visitor, backend: Backend) -> None:
    for new, words in (("nonsense", "not an e-mail address"), (ben.email, "has an account")):
        refused = flask(shell, "admin", "change-address", ada.email, new)
        assert (refused.exit_code, words in refused.output) == (1, True)
    said = flask(shell, "admin", "change-address", "Ada@example.com", "Ada@example.net")
    assert said.output == "ada@example.com is now ada@example.net.\n"
    assert audit.listed(backend.database, verb="address changed")[0].actor.startswith("flask")
    assert ada.post("/login", {"email": "ada@example.net", "password": PASSWORD}).status_code == 303


def test_a_lost_second_factor_is_reset_on_the_command_line(shell: Flask, ada: Visitor, backend: Backend) -> None:
    assert "has no two-factor sign-in" in flask(shell, "admin", "reset-2fa", ada.email).output
    user = users.with_email(backend.database, ada.email)
    assert user
    second_factors.begin(backend, user)
    assert second_factors.turn_on(backend, user, pyotp.TOTP(second_factors.pending(backend, user) or "").now())
    assert ada.get("/").status_code == 200
    assert flask(shell, "admin", "reset-2fa", "Ada@example.com").exit_code == 0
    assert audit.listed(backend.database, verb="two-factor sign-in reset")
    assert ada.get("/").status_code == 302
    assert ada.post("/login", {"email": ada.email, "password": PASSWORD}).headers["Location"] == "/"


def test_a_weight_is_set_on_the_command_line_and_audited(shell: Flask, ada: Visitor, backend: Backend) -> None:
    said = flask(shell, "admin", "weight", "Ada@example.com", "2.5")
    assert said.output == "ada@example.com now has weight 2.5.\n"
    entry = audit.listed(backend.database)[0]
    assert (entry.verb, entry.before, entry.after) == ("weight changed", {"weight": 1.0}, {"weight": 2.5})
    for wrong in ("0", "-1", "nan", "many"):
        assert flask(shell, "admin", "weight", "ada@example.com", "--", wrong).exit_code == 2, wrong
    assert "Register it first" in flask(shell, "admin", "weight", "eve@example.com", "2").stderr


def test_an_invitation_is_printed_as_a_link(shell: Flask, app: Flask, visitor: Visitor) -> None:
    said = flask(shell, "invite", "Vera@example.com", "--administrator")
    address = urlsplit(said.output.strip())
    assert (address.path, address.netloc) == ("/register", "127.0.0.1:8000")
    [secret] = parse_qs(address.query)["invitation"]
    assert visitor.post("/register", {"invitation": secret, "password": PASSWORD}).status_code == 303
    assert visitor.get("/admin/users/").status_code == 200
    assert "has an account" in flask(shell, "invite", "vera@example.com").stderr
    assert "not an e-mail address" in flask(shell, "invite", "vera").stderr


def test_an_invitation_carries_a_role_and_groups(shell: Flask, visitor: Visitor, backend: Backend) -> None:
    finance, sales = (groups.create(backend.database, name).id for name in ("finance", "sales"))
    options = ("--role", "manager", "--group", "finance", "--group", "sales")
    [secret] = parse_qs(urlsplit(flask(shell, "invite", "vera@example.com", *options).output.strip()).query)[
        "invitation"
    ]
    visitor.post("/register", {"invitation": secret, "password": PASSWORD})
    vera = users.with_email(backend.database, "vera@example.com")
    assert vera
    assert vera.role is Role.MANAGER
    assert groups.of_person(backend.database, vera.id) == {finance: "finance", sales: "sales"}
    refused = flask(shell, "invite", "ben@example.com", "--group", "marketing").stderr
    assert "There is no group 'marketing'. The groups are: finance, sales." in refused


def test_a_link_for_a_new_password_is_printed(shell: Flask, app: Flask, ada: Visitor) -> None:
    address = urlsplit(flask(shell, "admin", "reset-link", "Ada@example.com").output.strip())
    assert ada.email in Visitor(app).get(f"{address.path}?{address.query}").text
    assert "No account found" in flask(shell, "admin", "reset-link", "eve@example.com").stderr


def test_the_audit_log_is_verified_and_names_the_command_that_changed_something(
    shell: Flask, ada: Visitor, backend: Backend
) -> None:
    flask(shell, "admin", "grant", ada.email)
    assert audit.listed(backend.database)[0].actor.startswith("flask, as ")
    assert "all unchanged" in flask(shell, "audit", "verify").output
    with backend.database.write() as session:
        session.execute(update(audit.AuditEntry).values(verb="nothing"))
    assert "Entry 1 does not follow" in flask(shell, "audit", "verify").stderr
