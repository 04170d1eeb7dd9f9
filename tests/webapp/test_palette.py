"""The command palette finds what its user may open, and nothing else."""

from flask import Flask

from jobs.runs import Role, groups
from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.visitor import Visitor, soup
from webapp.accounts import users


def found(visitor: Visitor, words: str) -> dict[str, list[str]]:
    """Return the titles that are found, by kind."""
    page = soup(visitor.get("/palette", query_string={"q": words}))
    return {
        str(group["aria-label"]): [one.text for one in group.select(".palette__title")]
        for group in page.select("[role=group]")
    }


def test_without_words_it_offers_the_newest_runs_tasks_and_pages(ada: Visitor) -> None:
    run = ada.submit("reverse_text", text="abc")
    offered = found(ada, "")
    assert offered["Runs"] == [f"Reverse text #{run}"]
    assert "Reverse text" in offered["Tasks"]
    assert offered["Pages"][:3] == ["Tasks", "History", "Account"]
    assert "Users" not in offered["Pages"]


def test_words_are_looked_for_in_titles_descriptions_and_inputs(ada: Visitor) -> None:
    first, second = ada.submit("reverse_text", text="parcels"), ada.submit("reverse_text", text="letters")
    assert found(ada, "REV text")["Tasks"] == ["Reverse text"]
    assert found(ada, "parcels") == {"Runs": [f"Reverse text #{first}"]}
    assert found(ada, f"#{second}")["Runs"][0] == f"Reverse text #{second}"
    for words in ("nothing like it", "%", "9" * 30, "9" * 19):
        assert "Nothing has these words" in ada.get("/palette", query_string={"q": words}).text
    assert found(ada, "\x00") == found(ada, "")


def test_nobody_finds_runs_of_others_or_tasks_that_are_not_theirs(ada: Visitor, app: Flask, backend: Backend) -> None:
    run = ada.submit("reverse_text", text="private")
    group = groups.create(backend.database, "finance")
    groups.set_for_task(backend.database, "reverse_text", [group.id])
    bob = Visitor(app).registered("bob@example.com")
    assert found(bob, f"{run}") == {}
    assert found(bob, "private") == {}
    assert "Tasks" not in found(bob, "reverse")


def test_pages_of_the_administration_are_found_by_those_who_see_them(ada: Visitor, backend: Backend) -> None:
    users.set_role(backend.database, owner_id(backend, ada.email), Role.MANAGER)
    assert found(ada, "groups") == {"Pages": ["Groups"]}
    assert found(ada, "audit") == {}
    users.set_role(backend.database, owner_id(backend, ada.email), Role.ADMINISTRATOR)
    assert found(ada, "audit") == {"Pages": ["Audit log"]}
    for entry in soup(ada.get("/palette?q=")).select("[role=option]"):
        assert ada.get(str(entry["href"])).status_code == 200


def test_shortcuts_of_a_single_key_are_switched_off_for_a_browser(ada: Visitor) -> None:
    page = ada.get("/shortcuts")
    assert "Switch single keys off" in page.text
    ada.post("/account/shortcuts", {"single_keys": "off"})
    assert 'data-single-keys="off"' in ada.get("/runs").text
    ada.post("/account/shortcuts", {"single_keys": "on"})
    assert "data-single-keys" not in ada.get("/runs").text
