"""Addresses that are proved by mail, and passwords that are reset by it; no page tells who has an account."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import delete, update

from jobs.runs import Role
from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.visitor import PASSWORD, Visitor, soup
from tests.support.waiting_mails import link_in, mailed, mailing
from webapp.accounts import constant_time, invitations, throttle, users
from webapp.accounts.invitations import Offer
from webapp.accounts.proofs import AddressProof
from webapp.accounts.throttle import LoginFailure

NEW = "a quite different password"
KNOWN, UNKNOWN = "ada@example.org", "new@example.org"


@pytest.fixture
def app(backend: Backend) -> Flask:
    """A site where addresses of one domain can register."""
    users.create(backend.database, KNOWN, PASSWORD)
    return mailing(backend, registration="domain:example.org,xn--bcher-kva.example")


def register(app: Flask, email: str) -> str:
    response = Visitor(app).post("/register", {"email": email, "password": PASSWORD})
    assert response.status_code == 200, response.text
    return response.text


def forget_attempts(backend: Backend) -> None:
    with backend.database.write() as session:
        session.execute(delete(LoginFailure))


def given_in(link: str, password: str) -> dict[str, str]:
    return {"link": parse_qs(urlsplit(link).query)["link"][0], "password": password}


def test_an_account_is_created_once_its_address_is_proved(app: Flask, backend: Backend) -> None:
    assert "password" not in [field["name"] for field in soup(Visitor(app).get("/register")).select("form.card input")]
    register(app, " New@Example.org ")
    register(app, UNKNOWN)
    assert users.with_email(backend.database, UNKNOWN) is None
    (recipient, subject, text), (_, _, another) = mailed(backend)
    assert (recipient, subject) == (UNKNOWN, "Create your account at Dumbwaiter")
    owner, link = Visitor(app), link_in(text)
    assert UNKNOWN in owner.get(link).text
    assert owner.get(link).status_code == 200, "opening a link uses nothing up: scanners of mail do so, too"
    assert owner.post("/register/confirm", given_in(link, "short")).status_code == 422
    assert owner.post("/register/confirm", given_in(link, NEW)).status_code == 303
    assert UNKNOWN in owner.get("/account").text
    for used in (link, link_in(another), "/register/confirm?link=made-up", "/register/confirm"):
        assert Visitor(app).get(used).status_code == 403
    assert Visitor(app).post("/register/confirm", given_in(link, NEW)).status_code == 403
    assert Visitor(app).post("/login", {"email": UNKNOWN, "password": PASSWORD}).status_code == 422


def test_no_page_tells_whether_an_address_has_an_account(app: Flask, backend: Backend) -> None:
    pages = {
        (path, email): Visitor(app).post(path, {"email": email, "password": PASSWORD})
        for path in ("/register", "/reset/mail", "/login")
        for email in (KNOWN, UNKNOWN)
    }
    pages[("/login", KNOWN)] = Visitor(app).post("/login", {"email": KNOWN, "password": NEW})
    for path in ("/register", "/reset/mail", "/login"):
        known, unknown = pages[(path, KNOWN)], pages[(path, UNKNOWN)]
        assert known.status_code == unknown.status_code
        assert known.text.replace(KNOWN, "") == unknown.text.replace(UNKNOWN, "")
        assert {*known.headers.keys()} == {*unknown.headers.keys()}
    told = [(recipient, subject) for recipient, subject, _ in mailed(backend)]
    assert told == [
        (KNOWN, "Your account at Dumbwaiter"),
        (UNKNOWN, "Create your account at Dumbwaiter"),
        (KNOWN, "Set a new password for Dumbwaiter"),
    ]
    assert link_in(mailed(backend)[0][2]) == "/login"
    assert users.with_password(backend.database, KNOWN, PASSWORD)


def test_only_addresses_of_the_domains_can_register(app: Flask, backend: Backend) -> None:
    for email in ("eve@example.com", "eve@sub.example.org", "eve@notexample.org", "not an address", ""):
        response = Visitor(app).post("/register", {"email": email})
        assert response.status_code == 422, email
    assert (
        "Only addresses at example.org or xn--bcher-kva.example"
        in Visitor(app).post("/register", {"email": "eve@example.com"}).text
    )
    assert mailed(backend) == []
    register(app, "ada@bücher.example")
    register(app, UNKNOWN)
    links = [link_in(text) for _, _, text in mailed(backend)]
    elsewhere = mailing(backend, registration="domain:example.net")
    closed = mailing(backend, registration="closed")
    for other in (elsewhere, closed):
        assert Visitor(other).get(links[1]).status_code == 403
        assert Visitor(other).post("/register/confirm", given_in(links[1], NEW)).status_code == 403
    assert Visitor(app).get(links[0]).status_code == 200


def test_an_invitation_counts_as_before_and_no_stranger_replaces_it(app: Flask, backend: Backend) -> None:
    secret = invitations.create(backend, UNKNOWN, Offer(Role.ADMINISTRATOR))
    register(app, UNKNOWN)
    invited = Visitor(app)
    assert invited.post("/register", {"password": PASSWORD, "invitation": secret}).status_code == 303
    assert invited.get("/admin/users/").status_code == 200
    late = Visitor(app).post("/register/confirm", given_in(link_in(mailed(backend)[0][2]), NEW))
    assert late.status_code == 403
    assert "Log in" in late.text


def test_a_link_expires(app: Flask, backend: Backend) -> None:
    register(app, UNKNOWN)
    with backend.database.write() as session:
        session.execute(update(AddressProof).values(expires_at=utcnow()))
    assert Visitor(app).get(link_in(mailed(backend)[0][2])).status_code == 403


def test_a_password_is_reset_by_mail(app: Flask, backend: Backend) -> None:
    visitor = Visitor(app)
    assert "/reset/mail" in visitor.get("/login").text
    assert visitor.get("/reset/mail").status_code == 200
    assert visitor.post("/reset/mail", {"email": "nonsense"}).status_code == 422
    visitor.post("/reset/mail", {"email": KNOWN})
    visitor.post("/reset/mail", {"email": UNKNOWN})
    [(recipient, _subject, text)] = mailed(backend)
    assert recipient == KNOWN
    assert visitor.get(link_in(text)).status_code == 200
    assert visitor.post("/reset", given_in(link_in(text), NEW)).status_code == 303
    assert "Forgot your password?" in visitor.post("/reset", given_in(link_in(text), NEW)).text
    assert users.with_password(backend.database, KNOWN, NEW)
    users.set_active(backend.database, KNOWN, False)
    visitor.post("/reset/mail", {"email": KNOWN})
    assert len(mailed(backend)) == 1, "a disabled account stays closed"


@pytest.mark.parametrize("path", ["/register", "/reset/mail"])
def test_mails_are_throttled_by_address_and_place_and_alike_for_all(app: Flask, backend: Backend, path: str) -> None:
    for email in (KNOWN, UNKNOWN):
        answers = [Visitor(app).post(path, {"email": email}).status_code for _ in range(throttle.MOST_MAILS + 1)]
        assert answers == [200] * throttle.MOST_MAILS + [429]
    far = {"environ_base": {"REMOTE_ADDR": "203.0.113.5"}, "headers": {"Origin": "http://localhost"}}
    for number in range(throttle.MOST_REGISTRATIONS):
        data = {"email": f"a{number}@example.org"}
        assert app.test_client().post(path, data=data, **far).status_code == 200
    assert app.test_client().post(path, data={"email": "b@example.org"}, **far).status_code == 429


def test_without_mail_there_is_no_such_page(backend: Backend) -> None:
    visitor = Visitor(mailing(backend, mail_url="", registration="open"))
    assert visitor.get("/reset/mail").status_code == 404
    assert visitor.post("/reset/mail", {"email": KNOWN}).status_code == 404
    assert "/reset/mail" not in visitor.get("/login").text
    assert visitor.post("/register", {"email": KNOWN, "password": PASSWORD}).status_code == 303


def test_an_answer_takes_as_long_whoever_asks(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constant_time, "ANSWER_SECONDS", 0.2)
    for path in ("/register", "/reset/mail"):
        for email in (KNOWN, UNKNOWN):
            start = time.monotonic()
            Visitor(app).post(path, {"email": email})
            assert time.monotonic() - start >= 0.2
