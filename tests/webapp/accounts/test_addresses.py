"""Changing one's address: the new one is proved, the old one is told, and nobody learns who has an account."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import update

from jobs.runs import audit
from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.people import owner_id
from tests.support.visitor import PASSWORD, Visitor, soup, the
from tests.support.waiting_mails import link_in, mailed, mailing
from webapp.accounts import confirmation, resets, users
from webapp.accounts.sessions import Session

OLD, TAKEN, NEW = "ada@example.org", "ben@example.org", "ada.lovelace@example.org"


@pytest.fixture
def app(backend: Backend) -> Flask:
    for email in (OLD, TAKEN):
        users.create(backend.database, email, PASSWORD)
    return mailing(backend, registration="domain:example.org")


def logged_in(app: Flask, email: str) -> Visitor:
    visitor = Visitor(app)
    assert visitor.post("/login", {"email": email, "password": PASSWORD}).status_code == 303
    return visitor


def link_of(path: str) -> dict[str, str]:
    return {"link": parse_qs(urlsplit(path).query)["link"][0]}


def test_an_address_changes_once_the_new_one_is_proved(app: Flask, backend: Backend) -> None:
    ada = logged_in(app, OLD)
    assert "Change my address" in ada.get("/account").text
    ada.post("/account/address", {"email": NEW})
    reset = resets.create(backend, owner_id(backend, OLD))
    assert audit.listed(backend.database, verb="address change begun")[0].object == OLD
    [(recipient, _subject, text)] = mailed(backend)
    link = link_in(text)
    assert recipient == NEW
    assert Visitor(app).get(link).headers["Location"].startswith("/login?next=/account/address/confirm")
    assert logged_in(app, TAKEN).get(link).status_code == 403
    assert logged_in(app, TAKEN).post("/account/address/confirm", link_of(link)).status_code == 403
    assert NEW in ada.get(link).text
    assert users.with_email(backend.database, OLD), "opening the link changes nothing yet"
    assert ada.post("/account/address/confirm", link_of(link)).status_code == 303
    assert NEW in ada.get("/account").text
    assert ada.post("/account/address/confirm", link_of(link)).status_code == 403
    recipient, _subject, text = mailed(backend)[-1]
    assert (recipient, NEW in text) == (OLD, True)
    entry = audit.listed(backend.database, verb="address changed")[0]
    assert (entry.before, entry.after) == ({"email": OLD}, {"email": NEW})
    assert Visitor(app).get(f"/reset?link={reset}").status_code == 403, "it went to the old address"
    assert Visitor(app).post("/login", {"email": OLD, "password": PASSWORD}).status_code == 422
    logged_in(app, NEW)


def test_the_answer_does_not_tell_who_has_an_account(app: Flask, backend: Backend) -> None:
    ada = logged_in(app, OLD)
    free, taken = (ada.post("/account/address", {"email": email}) for email in (NEW, TAKEN))
    assert free.status_code == taken.status_code == 200
    assert the(soup(free), "main").text.replace(NEW, "") == the(soup(taken), "main").text.replace(TAKEN, "")
    recipient, _subject, text = mailed(backend)[1]
    assert recipient == TAKEN
    assert "http" not in text
    link = link_in(mailed(backend)[0][2])
    assert ada.get(link).status_code == 403, "a later request takes its place"
    ada.post("/account/address", {"email": NEW})
    link = link_in(mailed(backend)[2][2])
    users.create(backend.database, NEW, PASSWORD)
    assert ada.post("/account/address/confirm", link_of(link)).status_code == 403
    assert users.with_email(backend.database, OLD)


def test_an_address_that_cannot_be_used_is_named_and_kept_in_the_form(app: Flask, backend: Backend) -> None:
    ada = logged_in(app, OLD)
    for email in ("nonsense", OLD.upper(), "ada@example.com"):
        response = ada.post("/account/address", {"email": email})
        assert response.status_code == 422
        assert email in response.text
    answers = [ada.post("/account/address", {"email": NEW}).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    without = logged_in(mailing(backend, mail_url=""), OLD)
    assert without.post("/account/address", {"email": NEW}).status_code == 404
    assert "Change my address" not in without.get("/account").text


def test_both_steps_need_the_password(app: Flask, backend: Backend) -> None:
    ada = logged_in(app, OLD)
    with backend.database.write() as session:
        session.execute(update(Session).values(confirmed_at=utcnow() - confirmation.RECENT - timedelta(seconds=1)))
    assert ada.post("/account/address", {"email": NEW}).status_code == 403
    assert mailed(backend) == []
    assert ada.post("/account/address/confirm", {"link": "x"}).status_code == 403
    assert ada.post("/account/address", {"email": NEW, "confirm_password": PASSWORD}).status_code == 200
    assert len(mailed(backend)) == 1
