"""The start page: latest runs first, then tasks at hand, and all tasks by group with a filter."""

import pytest
from flask import Flask

from jobs import task
from jobs.runs import groups
from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import State
from tests.support.people import make_run, owner_id
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app


@task(group="Tables", tags=["csv", "Ärger"], icon="table")
def profile() -> str:
    """Show the columns of a file."""
    return ""


@task(title="Join two files", group="Tables", icon="🧩")
def join() -> str:
    """Match rows by a key."""
    return ""


@task(group="images")
def resize() -> str:
    """Make pictures smaller."""
    return ""


@task
def shout() -> str:
    """Say it louder."""
    return ""


@task(group="Salaries", tags=["csv"], groups=["finance"])
def payroll() -> str:
    """Add up wages."""
    return ""


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(open_backend(backend.settings, catalog_of(profile, join, resize, shout, payroll)))


def found(visitor: Visitor, query: str) -> list[str]:
    page = soup(visitor.get("/", query_string={"q": query}))
    return [
        str(one["id"]).removeprefix("task-") for one in page.select(".finder__group:not([hidden]) .task:not([hidden])")
    ]


def at_hand(visitor: Visitor) -> list[str]:
    return [one.text for one in soup(visitor.get("/")).select(".at-hand a > span:last-child")]


def test_tasks_are_listed_by_group_with_their_icons_and_tags(ada: Visitor) -> None:
    page = soup(ada.get("/"))
    assert [one.text for one in page.select(".finder__group h3")] == ["images", "Tables", "Other"]
    tables = page.select(".finder__group")[1]
    assert [one.text for one in tables.select(".task__title")] == ["Join two files", "Profile"]
    assert "#task-table" in str(the(tables, "#task-profile use")["href"])
    assert the(tables, "#task-join .task-icon").text == "🧩"
    assert [one["href"] for one in tables.select(".task__tag")] == ["/?q=csv#tasks", "/?q=%C3%84rger#tasks"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("join", ["join"]),
        ("TABLES", ["join", "profile"]),
        ("ärger", ["profile"]),
        ("csv", ["profile"]),
        ("smaller pict", ["resize"]),
        ("files key", ["join"]),
        ("resize columns", []),
        (" ", ["resize", "join", "profile", "shout"]),
        ("payroll", []),
        ("wages", []),
        ("salaries", []),
    ],
)
def test_the_filter_finds_the_tasks_that_one_sees_by_all_their_words(
    ada: Visitor, query: str, names: list[str]
) -> None:
    assert found(ada, query) == names
    if query == "payroll":
        assert "Add up wages" not in ada.get("/?q=payroll").text


def test_a_task_for_a_group_is_found_by_its_members(ada: Visitor, backend: Backend) -> None:
    groups.add_member(backend.database, groups.create(backend.database, "finance").id, owner_id(backend, ada.email))
    assert found(ada, "csv") == ["payroll", "profile"]


def test_pinned_tasks_come_first_and_then_recently_used_ones(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    for name in ("resize", "join", "shout", "join", "payroll"):
        make_run(backend, owner_id(backend, ada.email), name, parameters={}, state=State.SUCCEEDED)
    assert at_hand(ada) == ["Join two files", "Shout", "Resize"], "without those that she does not see"
    for name in ("shout", "profile", "shout"):
        response = ada.post("/pins", {"pin": name})
        assert (response.status_code, response.headers["Location"]) == (303, "/#tasks")
    assert at_hand(ada) == ["Shout", "Profile", "Join two files", "Resize"]
    assert [one["value"] for one in soup(ada.get("/")).select("[name=unpin]")] == ["profile", "shout"]
    section = soup(ada.post("/pins", {"unpin": "shout", "q": "join"}, HX_Request="true"))
    assert section.select_one("html") is None
    assert [one["value"] for one in section.select("[name=unpin]")] == ["profile"]
    assert section.select_one("[data-without-filter][hidden]"), "the filter stays"
    assert at_hand(ben) == []


@pytest.mark.parametrize("name", ["nothing", "payroll"])
def test_only_a_task_that_one_sees_is_pinned(ada: Visitor, name: str) -> None:
    assert ada.post("/pins", {"pin": name}).status_code == 404


def test_a_first_visit_explains_itself_and_runs_come_first(ada: Visitor, backend: Backend) -> None:
    page = soup(ada.get("/"))
    assert the(page, "#runs .empty").text == (
        "Choose a task, fill in its form and run it: its progress and its result appear here."
    )
    running = make_run(backend, owner_id(backend, ada.email), "shout", parameters={}, state=State.RUNNING)
    for _ in range(6):
        make_run(backend, owner_id(backend, ada.email), "join", parameters={}, state=State.SUCCEEDED)
    page = soup(ada.get("/"))
    assert [one["id"] for one in page.select(".run")] == [f"run-{number}" for number in (running.id, 7, 6, 5, 4)]
    assert "first=running" in str(the(page, "#live")["hx-ws:connect"]), "the live page has the same order"
    assert page.text.index("Latest runs") < page.text.index("All tasks")
