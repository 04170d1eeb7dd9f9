"""Sessions: one for each browser, listed and ended on the account page."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from jobs.runs.backend import Backend
from jobs.storage import utcnow
from tests.support.people import owner_id
from tests.support.visitor import PASSWORD, Visitor, soup
from webapp.accounts import sessions
from webapp.accounts.sessions import LONGEST, UNUSED, Session

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1"


def logged_in(app: Flask, email: str, user_agent: str = PHONE) -> Visitor:
    visitor = Visitor(app)
    sent = visitor.post("/login", {"email": email, "password": PASSWORD}, User_Agent=user_agent)
    assert sent.status_code == 303
    return visitor


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/").status_code == 200


def test_logging_out_ends_this_session_and_no_other(app: Flask, ada: Visitor) -> None:
    phone = logged_in(app, ada.email)
    cookie = ada.client.get_cookie("dumbwaiter")
    assert cookie
    ada.post("/logout")
    copied = Visitor(app)
    copied.client.set_cookie("dumbwaiter", cookie.value)
    assert [is_in(ada), is_in(copied), is_in(phone)] == [False, False, True]


def test_a_session_is_listed_with_its_device_and_can_be_ended(app: Flask, ada: Visitor) -> None:
    phone = logged_in(app, ada.email)
    section = soup(ada.get("/account")).select("#sessions li")
    assert ["Safari on iPhone" in one.text for one in section] == [True, False]
    assert "this session" in section[1].text
    assert not section[1].select("form")
    ada.post(str(section[0].select("form")[0]["action"]))
    assert [is_in(ada), is_in(phone)] == [True, False]


def test_logging_out_everywhere_else_keeps_this_session(app: Flask, ada: Visitor) -> None:
    phone = logged_in(app, ada.email)
    ada.post("/account/sessions/end")
    assert [is_in(ada), is_in(phone)] == [True, False]
    assert len(soup(ada.get("/account")).select("#sessions li")) == 1


def test_nobody_ends_the_session_of_another(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    [hers] = sessions.listed(backend.database, owner_id(backend, ada.email))
    ben.post(f"/account/sessions/{hers.id}/end")
    assert is_in(ada)


@pytest.mark.parametrize("column", ["last_used_at", "created_at"])
def test_a_session_ends_unused_after_a_while_and_at_the_latest_after_a_month(
    ada: Visitor, backend: Backend, column: str
) -> None:
    longest = UNUSED if column == "last_used_at" else LONGEST
    for left, wanted in ((timedelta(minutes=1), True), (timedelta(0), False)):
        with backend.database.write() as session:
            session.execute(update(Session).values({column: utcnow() - longest + left}))
        assert is_in(ada) is wanted


def test_every_login_begins_a_session_with_a_secret_of_its_own(app: Flask, ada: Visitor, backend: Backend) -> None:
    logged_in(app, ada.email)
    first, second = sessions.listed(backend.database, owner_id(backend, ada.email))
    assert first.digest != second.digest


@pytest.mark.parametrize("number", ["0", "", "9" * 40, "x", "1", "²", "-1"])
def test_a_made_up_session_is_none(ada: Visitor, backend: Backend, number: str) -> None:
    assert sessions.account_of(backend.database, f"{number}.{'x' * 43}") is None


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140.0 Safari/537.36", "Chrome on macOS"),
        ("", "Unknown browser"),
    ],
)
def test_a_device_is_named_in_words(user_agent: str, words: str) -> None:
    assert sessions.device_of(user_agent) == words
