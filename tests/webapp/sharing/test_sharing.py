"""The page on which an owner shares a run, what others share, and all shares for administrators."""

import pytest
from flask import Flask

from jobs.runs import groups, shares
from jobs.runs.backend import Backend
from jobs.runs.shares import Parts
from tests.support.people import make_owner, make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from tests.webapp.sharing.conftest import Secretive
from webapp.accounts import invitations, users
from webapp.accounts.invitations import Offer


def rows(visitor: Visitor, path: str = "/runs/shared") -> list[str]:
    return [str(row["id"]) for row in soup(visitor.get(path)).select(".run")]


def test_a_run_is_shared_with_an_address_and_nobody_learns_whether_it_has_an_account(
    app: Flask, ada: Visitor, ben: Visitor, backend: Backend, secretive: Secretive
) -> None:
    path = f"/runs/{secretive.id}/shares"
    assert "Only you see this run." in ada.get(path).text
    assert "Nobody shares a run with you yet." in ben.get("/runs/shared").text
    for email in (" BEN@example.com", "vera@example.com"):
        response = ada.post(path, {"kind": "person", "email": email, "part": "files"})
        assert (response.status_code, response.headers["Location"]) == (303, path)
    known, unknown = soup(ada.get(path)).select(".accounts__one")
    assert [the(one, "strong").text for one in (known, unknown)] == ["ben@example.com", "vera@example.com"]
    assert str(known).replace("ben@", "vera@").replace("/shares/1/", "/shares/2/") == str(unknown)
    assert rows(ben) == [f"run-{secretive.id}"]
    assert "Shared by ada@example.com" in ben.get(f"/runs/{secretive.id}").text
    vera = Visitor(app).registered("vera@example.com")
    assert rows(vera) == [], "anybody can register with any address here"
    invitation = invitations.create(backend, "mira@example.com", Offer())
    ada.post(path, {"kind": "person", "email": "mira@example.com"})
    mira = Visitor(app)
    mira.post("/register", {"invitation": invitation, "password": "correct horse battery staple"})
    assert rows(mira) == [f"run-{secretive.id}"]


def test_only_ones_own_groups_can_be_shared_with(
    ada: Visitor, ben: Visitor, backend: Backend, secretive: Secretive
) -> None:
    path, database = f"/runs/{secretive.id}/shares", backend.database
    finance, sales = (groups.create(database, name).id for name in ("finance", "sales"))
    assert "sales" not in ada.get(path).text
    groups.add_member(database, finance, secretive.owner_id)
    groups.add_member(database, finance, owner_id(backend, ben.email))
    assert [one.text for one in soup(ada.get(path)).select("#group option")] == ["finance"]
    for group in (str(sales), "", "x", "9" * 30):
        refused = ada.post(path, {"kind": "group", "group": group})
        assert refused.status_code == 422
        assert "Choose one of your groups." in the(soup(refused), "#group-error").text
    assert ada.post(path, {"kind": "group", "group": str(finance)}).status_code == 303
    assert rows(ben) == [f"run-{secretive.id}"]
    assert rows(ada) == [], "one's own runs are no shared ones"
    groups.remove_member(database, finance, owner_id(backend, ben.email))
    assert rows(ben) == []
    users.set_admin(database, ada.email, True)
    assert len(soup(ada.get(path)).select("#group option")) == 2


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        ({"kind": "person", "email": "nobody"}, "email", "Enter an e-mail address"),
        ({"kind": "person", "email": "x" * 5000}, "email", "Enter an e-mail address"),
        ({"kind": "person", "email": "ada@example.com"}, "email", "This is your own address."),
        ({"kind": "link", "days": "99999"}, "days", "Choose how long"),
        ({"kind": "everybody"}, "kind", "Choose whom to share with."),
        ({}, "kind", "Choose whom to share with."),
    ],
)
def test_a_form_that_cannot_be_shared_says_why(
    ada: Visitor, secretive: Secretive, form: dict[str, str], name: str, message: str
) -> None:
    response = ada.post(f"/runs/{secretive.id}/shares", form)
    assert response.status_code == 422
    assert message in the(soup(response), f"#{name}-error").text


def test_the_list_of_shared_runs_is_paged(
    ben: Visitor, backend: Backend, secretive: Secretive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.sharing.list_views.PAGE_SIZE", 2)
    runs = [make_run(backend, secretive.owner_id).id for _ in range(5)]
    for run_id in runs:
        shares.with_person(backend, secretive.owner_id, run_id, ben.email, Parts())
    shown, path = [], "/runs/shared"
    while True:
        page = soup(ben.get(path))
        shown += [str(row["id"]) for row in page.select(".run")]
        assert "Parameters are not shared" in page.text
        if (older := page.select_one("a[rel=next]")) is None:
            break
        path = str(older["href"])
    assert shown == [f"run-{run_id}" for run_id in reversed(runs)]


def test_an_administrator_sees_and_revokes_everybodys_shares(
    app: Flask, ada: Visitor, ben: Visitor, backend: Backend, secretive: Secretive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.sharing.admin_views.PAGE_SIZE", 1)
    boss = Visitor(app).registered("boss@example.com")
    assert boss.get("/admin/shares/").status_code == 403
    users.set_admin(backend.database, boss.email, True)
    assert "Nobody shares a run." in boss.get("/admin/shares/").text
    other = make_run(backend, make_owner(backend))
    shares.with_person(backend, other.owner_id, other.id, "vera@example.com", Parts())
    shares.with_person(backend, secretive.owner_id, secretive.id, ben.email, Parts())
    page = soup(boss.get("/admin/shares/"))
    assert f"{ada.email}, run {secretive.id}" in the(page, ".accounts").text
    assert "vera@example.com" in boss.get(str(the(page, "a[rel=next]")["href"])).text
    action = str(the(page, ".accounts form")["action"])
    assert boss.post(action).status_code == 303
    assert rows(ben) == []
    assert boss.post(action).status_code == 404
    assert boss.get(f"/runs/{secretive.id}").status_code == 404, "administrators see no runs of others"
