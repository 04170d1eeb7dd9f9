"""Accounts of people who log in by a provider: whose they are, and what they may."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import requests
from sqlalchemy import update

from jobs.runs import Role, audit, groups
from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.provider import Provider
from tests.support.signing_in import (
    ADA,
    Site,
    claims,
    comes_back,
    comes_back_to,
    is_logged_in,
    led_away,
    linked,
    without,
    words,
)
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import flows, identities, invitations, resets, second_factors, sessions, users
from webapp.accounts.invitations import Offer
from webapp.accounts.provider import Claims
from webapp.accounts.users import EmailTaken


def test_a_person_with_a_verified_address_gets_an_account_where_registration_is_open(
    site: Site, provider: Provider, backend: Backend
) -> None:
    visitor = Visitor(site(registration="open"))
    assert "Log in with single sign-on" in visitor.get("/login").text
    asked = parse_qs(urlsplit(led_away(visitor)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    response = comes_back(visitor, provider, "ada-1", "/login/sso?next=/runs")
    assert (response.status_code, response.headers["Location"]) == (303, "/runs")
    assert is_logged_in(visitor)
    created, began = (audit.listed(backend.database, verb=verb)[0] for verb in ("account created", "logged in"))
    assert (created.actor, created.object, began.actor) == ("single sign-on", ADA["email"], ADA["email"])
    # Somebody who cannot guess a password that does not exist.
    for password in ("", "nobody has this password", "!"):
        assert (
            Visitor(visitor.client.application)
            .post("/login", {"email": ADA["email"], "password": password})
            .status_code
            == 422
        )


def test_each_login_has_a_session_of_its_own_and_leads_nowhere_else(
    site: Site, provider: Provider, backend: Backend
) -> None:
    app = site(registration="open")
    first, second = Visitor(app), Visitor(app)
    comes_back(first, provider, "ada-1")
    assert comes_back(second, provider, "ada-1", "/login/sso?next=//evil.example/").headers["Location"] == "/"
    assert len(sessions.listed(backend.database, owner_id(backend, "ada@example.com"))) == 2
    first.post("/logout")
    assert (is_logged_in(first), is_logged_in(second)) == (False, True)


def test_nobody_gets_an_account_without_an_invitation_or_a_verified_address(site: Site, provider: Provider) -> None:
    for registration, subject, expected in (
        ("invite", "ada-1", "Ask an administrator for an invitation."),
        ("closed", "ada-1", "Ask an administrator for an invitation."),
        ("open", "ben-1", "does not confirm your e-mail address"),
    ):
        visitor = Visitor(site(registration=registration))
        response = comes_back(visitor, provider, subject)
        assert response.status_code == 403
        assert expected in words(response)
        assert not is_logged_in(visitor)


def test_an_invitation_is_accepted_by_its_verified_address(site: Site, provider: Provider, backend: Backend) -> None:
    sales = groups.create(backend.database, "sales").id
    invitations.create(backend, "ada@example.com", Offer(Role.ADMINISTRATOR, [sales]))
    invitations.create(backend, "ben@example.com")
    visitor, app = Visitor(site(registration="invite")), site(registration="closed")
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 403
    assert comes_back(visitor, provider, "ben-1").status_code == 403
    assert comes_back(visitor, provider, "ada-1").status_code == 303
    assert visitor.get("/admin/users/").status_code == 200
    assert groups.of_person(backend.database, owner_id(backend, "ada@example.com")) == {sales: "sales"}
    assert [one.email for one in invitations.listed(backend.database)] == ["ben@example.com"]


def test_an_address_never_leads_to_an_account_that_exists(site: Site, provider: Provider, backend: Backend) -> None:
    app = site(registration="open")
    ada = Visitor(app).registered("ada@example.com")
    stranger = Visitor(app)
    response = comes_back(stranger, provider, "ada-1")
    assert response.status_code == 403
    assert "Log in to it with its password, and link single sign-on" in words(response)
    assert linked(ada, provider).status_code == 302
    assert comes_back(stranger, provider, "ada-1").status_code == 303
    provider.people["ada-2"] = dict(ADA)  # somebody else, to whom the provider has given the address
    thief = Visitor(app)
    assert comes_back(thief, provider, "ada-2").status_code == 403
    assert not is_logged_in(thief)


def test_an_account_is_linked_and_unlinked_by_its_owner(site: Site, provider: Provider, backend: Backend) -> None:
    app = site(registration="open")
    ada, ben = Visitor(app).registered("ada@example.com"), Visitor(app).registered("ben@example.com")
    refused = ada.post("/account/sso/link", {"sso-password": "wrong"})
    assert refused.status_code == 422
    assert "Incorrect password." in the(soup(refused), "#sso-password-error").text
    assert linked(ada, provider).headers["Location"] == "/account#sso"
    assert audit.listed(backend.database, verb="sign-in linked")[0].object == ada.email
    assert linked(ada, provider).status_code == 302  # once more changes nothing
    assert len(audit.listed(backend.database, verb="sign-in linked")) == 1
    assert "belongs to another account" in words(linked(ben, provider))
    assert "has another one already" in words(linked(ada, provider, "ben-1"))
    visitor = Visitor(app)
    assert comes_back(visitor, provider, "ada-1").status_code == 303
    ada.post("/account/sso/unlink")
    assert audit.listed(backend.database, verb="sign-in unlinked")[0].object == ada.email
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 403
    changing = {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()) and "sso" in rule.rule}
    assert changing == {"/account/sso/link", "/account/sso/unlink"}


def test_a_link_that_somebody_else_ends_is_refused(site: Site, provider: Provider) -> None:
    app = site(registration="open")
    ada = Visitor(app).registered("ada@example.com")
    page = soup(ada.post("/account/sso/link", {"sso-password": PASSWORD}))
    back = provider.sign_in(str(the(page, "main a")["href"]), "ada-1").removeprefix("http://localhost")
    cookie = ada.client.get_cookie("dumbwaiter")
    assert cookie
    sessions_of_ada = cookie.value
    ada.post("/logout")
    other = Visitor(app)
    other.client.set_cookie("dumbwaiter", sessions_of_ada)
    assert other.get(back).status_code == 403
    assert comes_back(other, provider, "ada-1").status_code == 403


def test_a_disabled_account_is_refused(site: Site, provider: Provider, backend: Backend) -> None:
    app = site(registration="open")
    comes_back(Visitor(app), provider, "ada-1")
    users.set_active(backend.database, "ada@example.com", False)
    visitor = Visitor(app)
    response = comes_back(visitor, provider, "ada-1")
    assert (response.status_code, words(response)) == (403, "This account is disabled. Contact the administrator.")
    assert not is_logged_in(visitor)


def test_an_address_of_a_domain_that_may_register_gets_an_account(site: Site, provider: Provider) -> None:
    for domain, expected in (("example.org", 403), ("example.com", 303)):
        app = site(registration=f"domain:{domain}", mail_url="smtp://127.0.0.1:9", mail_from="d@example.com")
        assert comes_back(Visitor(app), provider, "ada-1").status_code == expected


def test_with_the_provider_alone_passwords_are_for_administrators(
    site: Site, provider: Provider, backend: Backend
) -> None:
    before = site(registration="open")
    for name in ("local", "ben"):
        Visitor(before).registered(f"{name}@example.com")
    users.set_admin(backend.database, "local@example.com", True)
    app = site(registration="open", oidc_only=True, oidc_name="Example ID")
    page = soup(Visitor(app).get("/login"))
    assert "Log in with Example ID" in the(page, "a.button--primary").text
    assert not the(page, "details").has_attr("open")
    assert "Register" not in page.text
    log_in = {"email": "ben@example.com", "password": PASSWORD}
    response = Visitor(app).post("/login", log_in)
    assert response.status_code == 403
    assert "Passwords are for administrators here." in response.text
    assert Visitor(app).post("/login", {**log_in, "email": "local@example.com"}).status_code == 303
    token = Visitor(app).client.post("/api/v1/tokens", json=log_in)
    assert token.status_code == 403
    assert Visitor(app).get("/register").status_code == 403
    assert Visitor(app).post("/register", {**log_in, "email": "new@example.com"}).status_code == 403
    link = resets.create(backend, owner_id(backend, "ben@example.com"))
    assert "Example ID" in words(Visitor(app).get(f"/reset?link={link}"))
    assert Visitor(app).post("/reset", {"link": link, "password": PASSWORD}).status_code == 403
    assert is_logged_in(comes_back_to(app, provider))


def test_the_first_administrator_has_a_password_also_with_the_provider_alone(site: Site, backend: Backend) -> None:
    visitor, secret = Visitor(site(oidc_only=True, registration="invite")), invitations.first(backend.database)
    form = {"invitation": secret, "email": "boss@example.com", "password": PASSWORD}
    assert visitor.post("/register", form).status_code == 303
    assert visitor.get("/admin/users/").status_code == 200


def test_an_account_without_a_password_is_deleted_after_another_sign_in(
    site: Site, provider: Provider, backend: Backend
) -> None:
    app = site(registration="open")
    ada = comes_back_to(app, provider)
    refused = ada.post("/account/delete", {"confirmation": ""})
    assert refused.status_code == 422
    assert "Confirm first that it is you" in the(soup(refused), "#delete").text
    confirm = str(the(soup(refused), "#delete a")["href"])
    assert "max_age=0" in led_away(ada, confirm)
    provider.spoil = claims(auth_time=int(time.time()) - 3600)  # it has not asked again
    assert "has not asked you to sign in again" in words(comes_back(ada, provider, "ada-1", confirm))
    provider.spoil = without("auth_time")
    assert "does not say when" in words(comes_back(ada, provider, "ada-1", confirm))
    provider.spoil = claims()
    provider.people["ada-2"] = {}
    assert comes_back(ada, provider, "ada-2", confirm).status_code == 403
    assert ada.post("/account/delete").status_code == 422
    assert comes_back(ada, provider, "ada-1", confirm).headers["Location"] == "/account#delete"
    assert ada.post("/account/delete").headers["Location"] == "/login?left=1"
    assert comes_back(ada, provider, "ada-1").status_code == 303  # a new account, of its own
    assert ada.post("/account/sso/unlink").status_code == 303
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 303  # what has no password stays linked


def test_without_a_provider_nothing_speaks_of_one(visitor: Visitor, ada: Visitor) -> None:
    assert "sso" not in visitor.get("/login").text
    assert "sso" not in ada.get("/account").text
    assert visitor.get("/login/sso").status_code == 404


def test_two_tabs_that_come_back_at_once_make_one_account(backend: Backend) -> None:
    settings = backend.settings.model_copy(update={"registration": "open"})
    ada = Claims("https://id.example.com", "ada-1", "ada@example.com", frozenset())

    def join(_tab: int) -> str:
        try:
            return identities.join(backend.database, ada, settings).email
        except EmailTaken:
            found = identities.account_of(backend.database, ada, settings)
            return found.email if found else "nobody"

    with ThreadPoolExecutor(4) as tabs:
        assert set(tabs.map(join, range(4))) == {"ada@example.com"}


def test_who_has_no_password_confirms_by_another_sign_in_and_a_code_where_one_is_set_up(
    site: Site, provider: Provider, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_pass() -> None:
        monkeypatch.setattr(flows, "CONFIRMED_SECONDS", -1)
        with backend.database.write() as session:
            session.execute(update(sessions.Session).values(confirmed_at=None))

    ada = comes_back_to(site(registration="open"), provider)
    secret = {"name": "KEY", "value": "v"}
    let_pass()
    page = soup(ada.post("/account/secrets", secret))
    monkeypatch.setattr(flows, "CONFIRMED_SECONDS", 300)
    assert comes_back(ada, provider, "ada-1", str(the(page, ".card a")["href"])).status_code == 302
    assert ada.post("/account/secrets", secret).status_code == 303
    user = users.with_email(backend.database, "ada@example.com")
    assert user
    second_factors.begin(backend, user)
    app = pyotp.TOTP(second_factors.pending(backend, user) or "")
    codes = second_factors.turn_on(backend, user, app.now()) or []
    let_pass()
    assert the(soup(ada.post("/account/secrets", {**secret, "confirm_code": codes[0]})), ".card a"), "the code alone"
    monkeypatch.setattr(flows, "CONFIRMED_SECONDS", 300)
    comes_back(ada, provider, "ada-1", "/login/sso?confirm=1")
    form = the(soup(ada.post("/account/secrets", secret)), "form.card")
    assert [one["name"] for one in form.select("input:not([type=hidden])")] == ["confirm_code"]
    assert ada.post("/account/secrets", {**secret, "confirm_code": codes[0]}).status_code == 303


def test_logging_out_leads_on_to_logging_out_of_the_provider(site: Site, provider: Provider) -> None:
    ada = comes_back_to(site(registration="open", oidc_name="Example ID"), provider)
    page = soup(ada.get(ada.post("/logout").headers["Location"]))
    address = str(the(page, ".narrow [role=status] a")["href"])
    assert "You are logged out here." in the(page, ".narrow [role=status]").text
    assert address.startswith(f"{provider.issuer}/logout?")
    assert requests.get(address, timeout=20).text == "You are logged out."
    assert not soup(ada.get("/login")).select(".narrow [role=status]"), "only after logging out"
    provider.has_logout = False
    ada = comes_back_to(site(registration="open"), provider)
    assert not soup(ada.get(ada.post("/logout").headers["Location"])).select(".narrow [role=status]")
