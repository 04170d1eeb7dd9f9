"""Saved filters: a person's own, with a count, and gone with the account."""

import pytest
from sqlalchemy import func, select

from jobs.runs import audit, saved_filters
from jobs.runs.backend import Backend
from jobs.runs.deletion import delete_person
from jobs.runs.saved_filters import SavedFilter
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.accounts import export, users
from webapp.runs import history


def saved(visitor: Visitor) -> list[tuple[str, str, str]]:
    """The name, count and address of each filter on the page."""
    each = soup(visitor.get("/runs")).select(".saved-filters > ul > li")
    return [(the(one, "a").text, str(the(one, "span").contents[0]), str(the(one, "a")["href"])) for one in each]


def test_a_search_is_saved_found_renamed_and_deleted(
    ada: Visitor, ben: Visitor, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "COUNT_SECONDS", 60.0)  # counts that take longer are left out
    me = owner_id(backend, ada.email)
    for _ in range(101):
        make_run(backend, me)
    assert ada.post("/runs/filters", {"q": "state:queued", "name": " Waiting  now "}).status_code == 303
    assert ada.post("/runs/filters", {"q": "state:failed", "name": "Failed"}).status_code == 303
    assert ada.post("/runs/filters", {"q": "state:failed since:1d", "name": "Failed"}).status_code == 303
    assert saved(ada) == [
        ("Failed", "0", "/runs?q=state:failed+since:1d"),
        ("Waiting now", "99+", "/runs?q=state:queued"),
    ]
    first, second = saved_filters.listed(backend.database, me)
    for path, data in (
        (f"/runs/filters/{first.id}/rename", {"name": "mine"}),
        (f"/runs/filters/{first.id}/delete", {}),
    ):
        assert ben.post(path, data).status_code == 303
    assert saved(ben) == []
    assert len(saved(ada)) == 2
    response = ada.post(f"/runs/filters/{first.id}/rename", {"name": "Waiting now"})
    assert (response.status_code, "another filter" in response.text) == (422, True)
    ada.post(f"/runs/filters/{first.id}/rename", {"name": "Lately failed"})
    ada.post(f"/runs/filters/{second.id}/delete")
    assert [name for name, _count, _address in saved(ada)] == ["Lately failed"]
    verbs = [entry.verb for entry in audit.listed(backend.database)[:5]]
    assert verbs == ["filter deleted", "filter renamed", "filter saved", "filter saved", "filter saved"]


def test_what_cannot_be_saved_is_explained(ada: Visitor, backend: Backend) -> None:
    me = owner_id(backend, ada.email)
    for data, words in (
        ({"q": "state:failed", "name": " "}, "1 to 60"),
        ({"q": "state:failed", "name": "x" * 61}, "1 to 60"),
        ({"q": "", "name": "all"}, "Write a search"),
        ({"q": "colour:red", "name": "red"}, "Write a search"),
    ):
        response = ada.post("/runs/filters", data)
        assert (response.status_code, words in the(soup(response), "#saved-error").text) == (422, True)
    for number in range(saved_filters.MOST):
        saved_filters.save(backend.database, me, f"filter {number}", "state:failed")
    assert "Delete one first" in ada.post("/runs/filters", {"q": "state:failed", "name": "more"}).text
    assert ada.post("/runs/filters", {"q": "state:queued", "name": "filter 0"}).status_code == 303


def test_saved_filters_are_in_the_download_and_go_with_the_account(ada: Visitor, backend: Backend) -> None:
    saved_filters.save(backend.database, owner_id(backend, ada.email), "Failed", "state:failed")
    account = users.with_email(backend.database, ada.email)
    assert account
    assert export._account(backend, account)["saved_filters"][0]["query"] == "state:failed"
    delete_person(backend, account.id)
    with backend.database.read() as session:
        assert session.scalar(select(func.count()).select_from(SavedFilter)) == 0
