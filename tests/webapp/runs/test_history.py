"""The history as a page: the search with its suggestions, and the ways through what it found."""

from typing import Any

import pytest

from jobs.runs import delete_run, lease, run_text, search
from jobs.runs.backend import Backend
from jobs.runs.run import State
from tests.support.people import claimed, make_run, owner_id, run_of
from tests.support.visitor import Visitor, soup, the
from tests.webapp.runs.test_runs import ids
from webapp.rendering.listings import PAGE_SIZE


@pytest.fixture
def ada_id(backend: Backend, ada: Visitor) -> int:
    return owner_id(backend, ada.email)


def make(backend: Backend, owner: int, task: str = "reverse_text", **values: Any) -> int:
    run = make_run(backend, owner, task, **values)
    with backend.database.write() as session:
        run_text.add(session, run)
    return run.id


def test_the_box_and_the_selects_write_the_same_address(ada: Visitor, ada_id: int, backend: Backend) -> None:
    make(backend, ada_id)
    for sent, query in (
        ("q=hello&was=&task=reverse_text&state=", "task:reverse_text hello"),
        ("q=task:reverse_text hello&was=&task=&state=", "task:reverse_text hello"),
        ("q=task:reverse_text hello&was=task:reverse_text hello&task=factorise", "task:factorise hello"),
        ("q=task:reverse_text hello&was=task:reverse_text hello&task=", "hello"),
        ("q=task:factorise&was=task:reverse_text&task=reverse_text", "task:factorise"),
        ("q=&was=state:failed&task=&state=failed", ""),
    ):
        response = ada.get(f"/runs?{sent}")
        assert response.status_code == 302
        page = soup(ada.get(response.headers["Location"]))
        assert the(page, "#search").get("value") == query
        chosen = [str(one["value"]) for one in page.select(".filters option[selected]")]
        assert chosen == [term.partition(":")[2] for term in query.split() if ":" in term]


def test_runs_are_found_by_a_query_and_by_nobody_else(
    ada: Visitor, ben: Visitor, ada_id: int, backend: Backend
) -> None:
    one = make(backend, ada_id, parameters={"text": "free text", "times": 3})
    make(backend, ada_id, parameters={"text": "text free", "times": 2})
    make(backend, owner_id(backend, ben.email), parameters={"text": "free text", "times": 3})
    for query in ('"free text"', "input.times:3", 'state:queued since:1h task:"Reverse text" free input.times:3.0'):
        assert ids(ada, f"/runs?q={query}") == [one]
    assert ids(ada, "/runs?q=before:2020-01-01 free") == []
    assert "No runs fit" in ada.get("/runs?q=nothing+such").text


def test_a_term_that_means_nothing_is_explained_and_loses_nothing(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make(backend, ada_id, parameters={"text": "hello"})
    page = soup(ada.get('/runs?q=hello colour:<b>"red'))
    box = the(page, "#search")
    assert box.get("value") == 'hello colour:<b>"red'
    assert "search-problems" in str(box.get("aria-describedby"))
    assert [problem.text for problem in page.select("#search-problems p")] == [
        "colour:<b> was left out: there is no such filter. There are task:, state:, tag:, starred:yes, "
        'since:, before: and input.name:. To find these words themselves, put them in quotation marks: "colour:<b>".',
        '"red was left out: the closing quotation mark is missing.',
    ]
    assert [str(row["id"]) for row in page.select(".run")] == [f"run-{run}"]


def test_suggestions_go_on_from_what_is_in_the_box(ada: Visitor) -> None:
    def suggested(text: str) -> list[str]:
        page = soup(ada.get("/runs/suggestions", query_string={"q": text}))
        return [str(one["value"]) for one in page.select("option")]

    assert suggested("sta") == [f"state:{state}" for state in State]
    assert suggested("hello state:f") == ["hello state:failed"]
    assert suggested('"two words" rever') == ['"two words" task:reverse_text']
    assert suggested("task:reverse_text input.") == ["task:reverse_text input.text:"]
    assert "since:7d" in suggested("since:")
    assert len(suggested("")) == 12
    assert suggested('"<script>') == []


def test_a_search_that_took_too_long_says_how_far_it_looked(
    ada: Visitor, ada_id: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FIRST_STEP", 1)
    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.0)
    old = make(backend, ada_id, parameters={"text": "rare"})
    make(backend, ada_id, parameters={"text": "common"})
    page = soup(ada.get("/runs?q=rare"))
    assert page.select(".run") == []
    assert "Searched back to" in the(page, ".pages").text
    further = the(page, "a[rel=next]")
    assert further.text == "Search further"
    assert ids(ada, str(further["href"])) == [old]


def test_an_open_page_of_a_search_shows_how_its_runs_go_on(ada: Visitor, ada_id: int, backend: Backend) -> None:
    one = make(backend, ada_id, parameters={"text": "hello"})
    held = claimed(backend, run_of(backend, one))
    two = make(backend, ada_id, parameters={"text": "hello"}, state=State.SUCCEEDED)
    changes = str(the(soup(ada.get("/runs?q=hello")), "#live-poll")["hx-get"])
    assert f"runs={two}.{one}&" in f"{changes}&"
    shown = f"{changes}&shown={two}.1,{one}.2"
    assert ada.get(shown).status_code == 204
    make(backend, ada_id, parameters={"text": "hello"})
    lease.succeed(backend.database, held, "olleh")
    response = ada.get(shown)
    assert f'hx-target="#run-{one}"' in response.text
    assert f"run-{two}" not in response.text
    delete_run(backend, ada_id, one)
    assert f'id="run-{one}"' not in ada.get(shown).text
    assert 'hx-target="#runs"' in ada.get(shown).text


@pytest.mark.parametrize("query", ["", "state:queued", "since:1d", "hello"])
def test_pages_lead_both_ways_while_runs_come_and_go(ada: Visitor, ada_id: int, backend: Backend, query: str) -> None:
    runs = [make(backend, ada_id, parameters={"text": "hello"}) for _ in range(2 * PAGE_SIZE + 3)][::-1]

    def way(path: str, rel: str) -> str | None:
        link = soup(ada.get(path)).select_one(f"main a[rel={rel}]")
        return str(link["href"]) if link else None

    first = f"/runs?q={query}"
    second = way(first, "next")
    assert way(first, "prev") is None
    assert second
    third = way(second, "next")
    assert third
    assert ids(ada, third) == runs[2 * PAGE_SIZE :]
    assert way(third, "next") is None
    new = make(backend, ada_id, parameters={"text": "hello"})
    back = way(third, "prev")
    assert back
    assert ids(ada, back) == runs[PAGE_SIZE : 2 * PAGE_SIZE]
    newest = way(back, "prev")
    assert newest
    assert ids(ada, newest) == runs[:PAGE_SIZE]
    top = way(newest, "prev")
    assert top
    assert ids(ada, top) == [new, *runs[: PAGE_SIZE - 1]]
    assert way(top, "prev") is None
