"""The rights of people who log in by a provider: roles and groups that follow its claims."""

from jobs.runs import audit, groups
from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.provider import Provider, Token
from tests.support.signing_in import (
    ADA,
    Site,
    comes_back,
    comes_back_to,
    linked,
)
from tests.support.visitor import Visitor
from webapp.accounts import users


def test_the_role_follows_the_claim_at_every_login(site: Site, provider: Provider, backend: Backend) -> None:
    app = site(registration="open", oidc_groups_claim="realm.roles", oidc_administrators="chiefs, owners")
    local = Visitor(app).registered("local@example.com")
    users.set_admin(backend.database, local.email, True)

    def may_administer(said: Token) -> bool:
        provider.people["ada-1"] = {**ADA, **said}
        return comes_back_to(app, provider).get("/admin/users/").status_code == 200

    assert may_administer({"realm": {"roles": ["staff", "chiefs"]}})
    assert not may_administer({"realm": {"roles": ["staff"]}})
    assert may_administer({"realm.roles": "owners"})
    assert not may_administer({})
    assert not may_administer({"realm": "chiefs"})
    provider.tells["ada-1"] = {"realm": {"roles": ["chiefs"]}}  # what the token leaves out is asked for
    assert may_administer({})
    assert local.get("/admin/users/").status_code == 200
    changes = audit.listed(backend.database, actor="single sign-on", verb="role changed")
    assert [entry.after["role"] == "administrator" for entry in changes] == [True, False, True, False, True]


def test_groups_of_the_claim_are_joined_and_left_at_every_login(
    site: Site, provider: Provider, backend: Backend
) -> None:
    app = site(registration="open", oidc_groups_claim="teams")
    for name in ("sales", "finance", "local"):
        groups.create(backend.database, name)
    for said, expected in (
        (["sales", "elsewhere"], ["sales"]),
        (["finance", "local"], ["finance", "local"]),
        (None, []),
    ):
        provider.people["ada-1"] = {**ADA, "teams": said}
        comes_back_to(app, provider)
        joined = groups.of_person(backend.database, owner_id(backend, "ada@example.com"))
        assert list(joined.values()) == expected
    assert len(audit.listed(backend.database, actor="single sign-on", verb="groups changed")) == 3


def test_the_last_administrator_stays_one_whatever_the_claim_says(
    site: Site, provider: Provider, backend: Backend
) -> None:
    app = site(registration="open", oidc_administrators="chiefs")
    ada = Visitor(app).registered("ada@example.com")
    users.set_admin(backend.database, ada.email, True)
    assert linked(ada, provider).status_code == 302
    assert comes_back_to(app, provider).get("/admin/users/").status_code == 200
    Visitor(app).registered("boss@example.com")
    users.set_admin(backend.database, "boss@example.com", True)
    assert comes_back_to(app, provider).get("/admin/users/").status_code == 403


def test_whoever_has_no_allowed_group_is_refused_at_every_login(site: Site, provider: Provider) -> None:
    app = site(registration="open", oidc_allowed_groups="staff, guests", oidc_administrators="chiefs")

    def status(*said: str) -> int:
        provider.people["ada-1"] = {**ADA, "groups": list(said)}
        return comes_back(Visitor(app), provider, "ada-1").status_code

    assert [status(), status("others"), status("guests"), status("others"), status("chiefs")] == [
        403,
        403,
        303,
        403,
        303,
    ]


def test_roles_stay_as_they_are_where_they_are_managed_here(site: Site, provider: Provider, backend: Backend) -> None:
    app = site(registration="open")
    sales = groups.create(backend.database, "sales").id
    provider.people["ada-1"] = {**ADA, "groups": ["chiefs"]}
    ada = comes_back_to(app, provider)
    assert ada.get("/admin/users/").status_code == 403
    ada_id = owner_id(backend, "ada@example.com")
    users.set_admin(backend.database, "ada@example.com", True)
    groups.add_member(backend.database, sales, ada_id)
    assert comes_back_to(app, provider).get("/admin/users/").status_code == 200
