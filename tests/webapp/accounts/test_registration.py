"""Registration while it is open, by invitation or closed, and links that set a new password."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import update

from config import Settings
from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp import create_app
from webapp.accounts import invitations, resets, users
from webapp.accounts.invitations import Invitation
from webapp.server.prepare import prepare

OpenedWith = Callable[[str], Flask]
NEW = "a quite different password"


@pytest.fixture
def app_with(backend: Backend) -> OpenedWith:
    """Return the application with a REGISTRATION of one's choice."""

    def opened(registration: str) -> Flask:
        settings = backend.settings.model_copy(update={"registration": registration})
        return create_app(replace(backend, settings=settings))

    return opened


def register(visitor: Visitor, email: str = "new@example.com", invitation: str = "") -> int:
    given = {"email": email, "password": PASSWORD, "invitation": invitation}
    return visitor.post("/register", given).status_code


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "open"),
        ({"host": "localhost"}, "open"),
        ({"host": "::1"}, "open"),
        ({"host": "0.0.0.0"}, "invite"),
        ({"host": "example.org"}, "invite"),
        ({"app_env": "production", "secret_key": "x" * 40}, "invite"),
        ({"app_env": "production", "secret_key": "x" * 40, "registration": "open"}, "open"),
        ({"registration": "closed"}, "closed"),
    ],
)
def test_registration_is_open_on_ones_own_machine_and_by_invitation_elsewhere(
    given: dict[str, str], wanted: str
) -> None:
    assert Settings.model_validate(given).registers == wanted


@pytest.mark.parametrize("registration", ["invite", "closed"])
def test_a_stranger_cannot_register_and_is_not_offered_to(app_with: OpenedWith, registration: str) -> None:
    stranger = Visitor(app_with(registration))
    assert register(stranger) == 403
    assert stranger.get("/register").status_code == 403
    assert "/register" not in stranger.get("/login").text
    assert stranger.get("/").status_code == 302


def test_an_invitation_creates_one_account_for_its_address(app_with: OpenedWith, backend: Backend) -> None:
    app = app_with("invite")
    secret = invitations.create(backend, "new@example.com")
    page = soup(Visitor(app).get(f"/register?invitation={secret}"))
    assert the(page, "#email")["value"] == "new@example.com"
    invited = Visitor(app)
    assert register(invited, "somebody.else@example.com", secret) == 303
    assert "new@example.com" in invited.get("/account").text
    assert "somebody.else" not in invited.get("/account").text
    assert register(Visitor(app), "third@example.com", secret) == 403
    assert invited.get("/admin/users/").status_code == 403


def test_an_invitation_that_cannot_be_used_says_so(app_with: OpenedWith, backend: Backend) -> None:
    app, database = app_with("invite"), backend.database
    secret = invitations.create(backend, "new@example.com")
    with database.write() as session:
        session.execute(update(Invitation).values(expires_at=utcnow()))
    for one in (secret, "made-up", "x" * 5000):
        response = Visitor(app).get("/register", query_string={"invitation": one})
        assert response.status_code == 403
        assert "Ask for a new one" in response.text
    later = invitations.create(backend, "new@example.com")
    assert register(Visitor(app_with("closed")), invitation=later) == 403


def test_a_refused_password_leaves_the_invitation_to_be_used(app_with: OpenedWith, backend: Backend) -> None:
    invited = Visitor(app_with("invite"))
    secret = invitations.create(backend, "new@example.com")
    response = invited.post("/register", {"password": "short", "invitation": secret})
    assert response.status_code == 422
    assert the(soup(response), "input[name=invitation]")["value"] == secret
    assert register(invited, invitation=secret) == 303


def test_the_first_account_is_an_administrator_by_a_link_that_works_once(
    app_with: OpenedWith, backend: Backend
) -> None:
    app = app_with("invite")
    invitations.first(backend.database)
    secret = invitations.first(backend.database)
    assert secret
    boss = Visitor(app)
    assert register(boss, "boss@example.com", secret) == 303
    assert boss.get("/admin/users/").status_code == 200
    assert register(Visitor(app), "second@example.com", secret) == 403
    assert invitations.first(backend.database) is None
    assert not invitations.listed(backend.database)


def test_no_secret_of_a_link_is_stored(app_with: OpenedWith, ada: Visitor, backend: Backend) -> None:
    secret = invitations.create(backend, "new@example.com")
    user = users.with_email(backend.database, ada.email)
    assert user
    link = resets.create(backend, user.id)
    with backend.database.read() as session:
        rows = [*session.connection().exec_driver_sql("SELECT * FROM invitations")]
        rows += session.connection().exec_driver_sql("SELECT * FROM password_resets")
    assert secret not in str(rows)
    assert link not in str(rows)


def test_a_link_sets_a_new_password_once_and_ends_other_sessions(app: Flask, ada: Visitor, backend: Backend) -> None:
    user = users.with_email(backend.database, ada.email)
    assert user
    old, link = (resets.create(backend, user.id) for _ in range(2))
    elsewhere = Visitor(app)
    assert elsewhere.get("/reset", query_string={"link": old}).status_code == 403
    assert ada.email in elsewhere.get("/reset", query_string={"link": link}).text
    assert elsewhere.post("/reset", {"link": link, "password": "short"}).status_code == 422
    assert elsewhere.post("/reset", {"link": link, "password": NEW}).status_code == 303
    assert ada.get("/").status_code == 302
    assert elsewhere.get("/").status_code == 200
    assert elsewhere.post("/reset", {"link": link, "password": PASSWORD}).status_code == 403
    assert Visitor(app).post("/login", {"email": ada.email, "password": NEW}).status_code == 303


def test_a_link_does_not_open_a_disabled_account(app: Flask, ada: Visitor, backend: Backend) -> None:
    user = users.with_email(backend.database, ada.email)
    assert user
    link = resets.create(backend, user.id)
    users.set_active(backend.database, ada.email, False)
    assert Visitor(app).post("/reset", {"link": link, "password": NEW}).status_code == 403


def test_the_start_prints_the_link_to_the_first_account_while_there_is_none(
    app_with: OpenedWith, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = backend.settings.model_copy(update={"registration": "invite", "url_prefix": "/lift"})
    prepare(settings)
    address = urlsplit(capsys.readouterr().out.split()[-1])
    assert address.netloc == "127.0.0.1:8000"
    assert address.path == "/lift/register"
    [secret] = parse_qs(address.query)["invitation"]
    assert register(Visitor(app_with("invite")), invitation=secret) == 303
    prepare(settings)
    assert not capsys.readouterr().out
