"""The administration of users."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.visitor import PASSWORD, Visitor, soup, the
from tests.support.waiting_mails import MAILING, link_in, mailed, mailing
from webapp.accounts import invitations, users


def test_an_invited_administrator_creates_the_account_with_the_link(app: Flask, boss: Visitor) -> None:
    response = boss.post("/admin/users/invitations", {"email": " Vera@example.com", "role": "administrator"})
    address = urlsplit(the(soup(response), ".tokens__secret").text)
    assert "vera@example.com" in boss.get("/admin/users/").text
    vera = Visitor(app)
    secret = the(soup(vera.get(f"{address.path}?{address.query}")), "input[name=invitation]")["value"]
    assert vera.post("/register", {"invitation": secret, "password": PASSWORD}).status_code == 303
    assert vera.get("/admin/users/").status_code == 200
    assert not soup(boss.get("/admin/users/")).select(".invitations li")


@pytest.mark.parametrize(
    ("email", "words"), [("nobody", "Enter an e-mail"), ("ada@example.com", "There is an account")]
)
def test_an_invitation_that_cannot_be_is_explained_at_the_field(
    boss: Visitor, ada: Visitor, email: str, words: str
) -> None:
    response = boss.post("/admin/users/invitations", {"email": email})
    assert response.status_code == 422
    assert words in the(soup(response), "#email-error").text


def test_a_revoked_invitation_is_gone(boss: Visitor) -> None:
    boss.post("/admin/users/invitations", {"email": "vera@example.com"})
    form = the(soup(boss.get("/admin/users/")), ".invitations li form")
    boss.post(str(form["action"]))
    assert "vera@example.com" not in boss.get("/admin/users/").text


def test_a_disabled_user_is_out_at_once_and_back_when_enabled(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    address = f"/admin/users/{owner_id(backend, ada.email)}/active"
    assert boss.post(address, {"active": "no"}).status_code == 303
    assert ada.get("/").status_code == 302
    assert ada.post("/login", {"email": ada.email, "password": PASSWORD}).status_code == 403
    boss.post(address, {"active": "yes"})
    assert ada.post("/login", {"email": ada.email, "password": PASSWORD}).status_code == 303


def test_a_user_is_logged_out_everywhere(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    boss.post(f"/admin/users/{owner_id(backend, ada.email)}/sessions/end")
    assert ada.get("/").status_code == 302
    assert boss.get("/").status_code == 200


def test_rights_are_given_and_taken(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    address = f"/admin/users/{owner_id(backend, ada.email)}/role"
    boss.post(address, {"role": "administrator"})
    assert ada.get("/admin/users/").status_code == 200
    boss.post(address, {"role": "member"})
    assert ada.get("/admin/users/").status_code == 403


def test_an_administrator_cannot_shut_themselves_out(boss: Visitor, backend: Backend) -> None:
    own = f"/admin/users/{owner_id(backend, boss.email)}"
    assert boss.post(f"{own}/role", {"role": "member"}).status_code == 409
    assert boss.post(f"{own}/active", {"active": "no"}).status_code == 409
    assert boss.get("/admin/users/").status_code == 200


def test_a_link_for_a_new_password_is_shown_once(app: Flask, boss: Visitor, ada: Visitor, backend: Backend) -> None:
    response = boss.post(f"/admin/users/{owner_id(backend, ada.email)}/reset")
    address = urlsplit(the(soup(response), ".tokens__secret").text)
    assert address.path == "/reset"
    assert ada.email in Visitor(app).get(f"{address.path}?{address.query}").text
    assert address.query not in boss.get("/admin/users/").text


def test_users_are_found_by_a_part_of_their_address_and_listed_in_pages(
    boss: Visitor, ada: Visitor, ben: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ben@example.com" not in boss.get("/admin/users/?q=ADA@").text
    assert "No user has" in boss.get("/admin/users/?q=%25").text
    monkeypatch.setattr("webapp.admin.users.PAGE_SIZE", 1)
    page = soup(boss.get("/admin/users/"))
    assert [one.text for one in page.select(".accounts strong")] == ["ada@example.com"]
    following = soup(boss.get(str(the(page, "a[rel=next]")["href"])))
    assert [one.text for one in following.select(".accounts strong")] == ["ben@example.com"]


def test_invitations_and_links_for_a_new_password_are_mailed_and_shown(backend: Backend) -> None:
    app = mailing(backend, registration="invite")
    for email in ("boss@example.com", "ada@example.com", "gone@example.com"):
        users.create(backend.database, email, PASSWORD)
    users.set_admin(backend.database, "boss@example.com", True)
    users.set_active(backend.database, "gone@example.com", False)
    boss = Visitor(app)
    boss.post("/login", {"email": "boss@example.com", "password": PASSWORD})
    for path, email, subject in (
        ("invitations", "vera@example.com", "Your invitation to Dumbwaiter"),
        (f"{owner_id(backend, 'ada@example.com')}/reset", "ada@example.com", "Set a new password for Dumbwaiter"),
    ):
        page = soup(boss.post(f"/admin/users/{path}", {"email": email}))
        assert f"This link is being mailed to {email}." in the(page, ".tokens__new").text
        recipient, about, text = mailed(backend)[-1]
        assert (recipient, about) == (email, subject)
        assert the(page, ".tokens__secret").text == f"http://localhost{link_in(text)}"
        assert Visitor(app).get(link_in(text)).status_code == 200
    page = soup(boss.post(f"/admin/users/{owner_id(backend, 'gone@example.com')}/reset"))
    assert "Send this link to gone@example.com." in the(page, ".tokens__new").text
    assert len(mailed(backend)) == 2, "a link that does not open anything is not mailed"


def test_where_the_provider_creates_accounts_the_mailed_invitation_leads_to_it(backend: Backend) -> None:
    backend = replace(backend, settings=backend.settings.model_copy(update={**MAILING, "oidc_only": True}))
    invitations.create(backend, "vera@example.com")
    [(_, _, text)] = mailed(backend)
    assert link_in(text) == "/login"
    assert "log in with single sign-on" in text
