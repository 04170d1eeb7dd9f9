"""Preferences: the theme of a browser, and the time zone and mails of an account."""

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.visitor import Visitor, soup, the
from tests.support.waiting_mails import mailing
from webapp.accounts import users


def test_a_theme_is_kept_in_the_browser_and_holds_for_visitors(ada: Visitor) -> None:
    sent = ada.post("/account/theme", {"theme": "dark"}, Referer="http://localhost/runs?state=failed")
    assert (sent.status_code, sent.headers["Location"]) == (303, "/runs?state=failed")
    assert "HttpOnly" in sent.headers["Set-Cookie"]
    ada.post("/logout")
    assert the(soup(ada.get("/login")), "html")["data-theme"] == "dark"
    assert ada.get("/login").text.count('content="dark"') == 1


@pytest.mark.parametrize("theme", ["", "pink", '"><script>'])
def test_an_unknown_theme_is_refused_and_a_forged_one_ignored(ada: Visitor, theme: str) -> None:
    assert ada.post("/account/theme", {"theme": theme}).status_code == 422
    ada.client.set_cookie("theme", "pink")
    assert "data-theme" not in the(soup(ada.get("/")), "html").attrs


def test_a_time_zone_is_saved_and_given_to_every_page(ada: Visitor, backend: Backend) -> None:
    assert "data-zone" not in the(soup(ada.get("/")), "html").attrs
    assert ada.post("/account/preferences", {"zone": "Asia/Kathmandu"}).status_code == 303
    assert the(soup(ada.get("/runs")), "html")["data-zone"] == "Asia/Kathmandu"
    assert the(soup(ada.get("/account?saved=1")), "#zone [selected]").text == "Asia/Kathmandu"
    assert ada.post("/account/preferences", {"zone": "Atlantis/Capital"}).status_code == 422
    assert ada.post("/account/preferences", {"zone": ""}).status_code == 303
    assert "data-zone" not in the(soup(ada.get("/")), "html").attrs


def test_mails_are_offered_where_mail_is_sent(backend: Backend, ada: Visitor) -> None:
    assert soup(ada.get("/account")).select_one("[name=mail_at_end]") is None
    ada.post("/account/preferences", {"mail_at_end": "on"})
    assert not _wishes(backend, ada)
    app: Flask = mailing(backend)
    bob = Visitor(app)
    bob.client.set_cookie("dumbwaiter", ada.client.get_cookie("dumbwaiter").value)  # type: ignore[union-attr]  # she is signed in
    bob.post("/account/preferences", {"mail_at_end": "on"})
    assert _wishes(backend, ada)
    assert "checked" in the(soup(bob.get("/account")), "[name=mail_at_end]").attrs
    bob.post("/account/preferences", {})
    assert not _wishes(backend, ada)


def _wishes(backend: Backend, visitor: Visitor) -> bool:
    account = users.with_id(backend.database, owner_id(backend, visitor.email))
    assert account is not None
    return account.mail_at_end
