"""OpenID Connect: verify what a provider says, as the standard asks."""

import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from config import Settings
from jobs.runs.backend import Backend
from tests.support.provider import Provider
from tests.support.signing_in import (
    ADA,
    Site,
    claims,
    comes_back,
    comes_back_to,
    header,
    is_logged_in,
    led_away,
    without,
    words,
)
from tests.support.visitor import Visitor
from webapp import create_app


def test_only_the_browser_that_began_a_sign_in_ends_it_and_once(site: Site, provider: Provider) -> None:
    app = site(registration="open")
    visitor, stranger = Visitor(app), Visitor(app)
    back = provider.sign_in(led_away(visitor), "ada-1").removeprefix("http://localhost")
    led_away(stranger)
    assert stranger.get(back).status_code == 400  # its cookie has another state
    assert visitor.get(back.replace("state=", "state=x")).status_code == 400
    cookie = visitor.client.get_cookie("dumbwaiter")
    assert cookie
    assert visitor.get(back).status_code == 303
    assert visitor.get(back).status_code == 400
    thief = Visitor(app)  # with a copy of the cookie from before
    thief.client.set_cookie("dumbwaiter", cookie.value)
    assert thief.get(back).status_code == 403  # the provider takes a code once
    assert not is_logged_in(thief)


def test_a_code_for_another_sign_in_is_refused(site: Site, provider: Provider) -> None:
    """An attacker's code in the victim's sign-in: its verifier does not fit."""
    app = site(registration="open")
    attacker, victim = Visitor(app), Visitor(app)
    code = parse_qs(urlsplit(provider.sign_in(led_away(attacker), "ada-1")).query)["code"][0]
    state = parse_qs(urlsplit(led_away(victim)).query)["state"][0]
    assert victim.get(f"/login/sso/callback?code={code}&state={state}").status_code == 403
    assert not is_logged_in(victim)


def test_a_sign_in_that_takes_too_long_is_refused(
    site: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor(site(registration="open"))
    back = provider.sign_in(led_away(visitor), "ada-1").removeprefix("http://localhost")
    monkeypatch.setattr("webapp.accounts.flows.LONGEST_SECONDS", -1)
    assert visitor.get(back).status_code == 400


def test_a_token_that_is_not_meant_or_not_signed_lets_nobody_in(site: Site, provider: Provider) -> None:
    visitor = Visitor(site(registration="open"))
    spoilt = {
        "of no signature": header(alg="none"),
        "signed with the client's secret": header(alg="HS256"),
        "signed with an unknown key": header(kid="unknown"),
        "of another issuer": claims(iss="https://other.example"),
        "for another application": claims(aud="other"),
        "for several, and this one did not ask": claims(aud=["dumbwaiter", "other"], azp="other"),
        "for several, without who asked": claims(aud=["dumbwaiter", "other"]),
        "of another sign-in": claims(nonce="other"),
        "of no sign-in": without("nonce"),
        "expired": claims(exp=int(time.time()) - 61),
        "of the future": claims(iat=int(time.time()) + 600),
        "of nobody": without("sub"),
        "of a number": claims(sub=7),
        "of an empty name": claims(sub=""),
        "of a name that is too long": claims(sub="a" * 256),
        "for another access token": claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
        "without an end": without("exp"),
    }
    for what, provider.spoil in spoilt.items():
        response = comes_back(visitor, provider, "ada-1")
        assert response.status_code == 403, what
        assert "cannot be trusted" in words(response), what
        assert not is_logged_in(visitor), what
    provider.spoil = claims(exp=int(time.time()) - 50)  # clocks may differ by a minute
    assert comes_back(visitor, provider, "ada-1").status_code == 303


def test_a_new_key_of_the_provider_is_fetched_once_and_another_key_is_not_believed(
    site: Site, provider: Provider
) -> None:
    app = site(registration="open")
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 303
    provider.rotate()
    provider.asked.clear()
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 303
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 303
    assert provider.asked.count("/keys") == 1
    assert "/.well-known/openid-configuration" not in provider.asked
    honest = provider.published
    provider.rotate()
    provider.published = honest
    assert comes_back(Visitor(app), provider, "ada-1").status_code == 403
    provider.issuing = honest


def test_a_provider_that_is_away_is_told_of_and_asked_again_later(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider()
    settings = {**backend.settings.model_dump(), **provider.settings(), "registration": "open"}
    app = create_app(replace(backend, settings=Settings.model_validate(settings)))  # it starts all the same
    visitor, provider.people = Visitor(app), {"ada-1": ADA}
    response = visitor.get("/login/sso")
    assert response.status_code == 503
    assert words(response) == "Single sign-on does not answer. Try again in a moment."
    with provider:
        assert visitor.get("/login/sso").status_code == 503  # one that did not answer is left in peace
        monkeypatch.setattr("webapp.accounts.provider.AGAIN_SECONDS", 0.0)
        app.extensions["provider"]._away_until = 0.0
        back = provider.sign_in(led_away(visitor), "ada-1").removeprefix("http://localhost")
    assert visitor.get(back).status_code == 503  # it went away meanwhile
    app.extensions["hub"].end()


def test_a_provider_that_calls_itself_otherwise_is_not_asked(site: Site, provider: Provider) -> None:
    visitor = Visitor(site(oidc_issuer=provider.issuer.replace("127.0.0.1", "localhost")))
    assert visitor.get("/login/sso").status_code == 503
    assert is_logged_in(comes_back_to(site(oidc_issuer=f"{provider.issuer}/", registration="open"), provider))


def test_whoever_does_not_sign_in_there_is_told_so(site: Site, provider: Provider) -> None:
    visitor = Visitor(site(registration="open"))
    response = comes_back(visitor, provider, "nobody")
    assert response.status_code == 403
    assert words(response).startswith("You were not signed in by single sign-on.")


def test_what_is_told_about_somebody_else_is_not_believed(site: Site, provider: Provider) -> None:
    provider.people["ada-1"] = {}
    provider.tells["ada-1"] = {"sub": "ben-1", **ADA}
    assert comes_back(Visitor(site(registration="open")), provider, "ada-1").status_code == 403


def test_the_address_that_people_come_back_to_is_the_sites_own(site: Site, backend: Backend) -> None:
    visitor = Visitor(site(public_url="https://runs.example.com", allowed_hosts="localhost", url_prefix="/dw"))
    asked = parse_qs(urlsplit(led_away(visitor, "/dw/login/sso")).query)
    assert asked["redirect_uri"] == ["https://runs.example.com/dw/login/sso/callback"]


def test_an_address_counts_only_with_the_word_for_it_in_the_same_answer(site: Site, provider: Provider) -> None:
    visitor = Visitor(site(registration="open"))
    provider.people["ada-1"] = {"email": "ada@example.com"}
    provider.tells["ada-1"] = {"email_verified": True, "auth_time": "yesterday"}
    assert comes_back(visitor, provider, "ada-1").status_code == 403
    provider.tells["ada-1"] = dict(ADA)
    assert comes_back(visitor, provider, "ada-1").status_code == 303
