"""Results in rows: only their beginning is shown, however large they are."""

from typing import Any

import pytest

from jobs import Markdown
from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.values.json_value import ResultError, json_value
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.live.snapshot import take_snapshot
from webapp.rendering.listings import Listing

LARGE = 900_000
FEW = 20_000


def nested(depth: int) -> Any:
    return [] if depth == 0 else [nested(depth - 1)]


def deepest() -> Any:
    """Return the deepest nesting of lists that can be stored."""
    for depth in range(1, 1000):
        try:
            value = json_value(nested(depth))
        except ResultError:
            return value
    raise AssertionError("there is no end")


@pytest.mark.parametrize(
    "result",
    [
        "dish " * (LARGE // 5),
        json_value(Markdown("dish " * (LARGE // 5))),
        ["dish"] * (LARGE // 6),
        [["dish"] * 1000] * 100,
        {f"dish {number}": "dish" * 10 for number in range(LARGE // 60)},
        [{"dish": "dish" * 10}] * (LARGE // 60),
        deepest(),
    ],
    ids=["text", "Markdown", "list", "lists", "dict", "table", "nested"],
)
def test_a_row_shows_the_beginning_of_a_result_and_its_page_all(ada: Visitor, backend: Backend, result: Any) -> None:
    run = make_run(backend, owner_id(backend, ada.email), state=State.SUCCEEDED, result=result)
    row = the(soup(ada.get("/runs")), ".run__result")
    assert len(str(row)) < FEW * 3
    assert ada.get(f"/runs/{run.id}").status_code == 200
    if isinstance(result, str):
        assert the(soup(ada.get(f"/runs/{run.id}")), ".result").text == result


def test_what_is_kept_for_open_pages_holds_no_result(ada: Visitor, backend: Backend) -> None:
    owner = owner_id(backend, ada.email)
    make_run(backend, owner, state=State.SUCCEEDED, result="dish " * 1000, parameters={"text": "order " * 1000})
    with ada.client.application.test_request_context("/live"):
        picture = take_snapshot(backend.database, Listing(owner), None)
    (run,) = picture.page.runs
    assert run.state is State.SUCCEEDED
    assert not run.result
    assert not run.parameters
    assert len(picture.fragments[run.id].html) < FEW


EMPTY: list[tuple[Any, str]] = [
    ({}, "Empty"),
    ([], "Empty list"),
    ("", "Empty text"),
    (None, "nothing"),
    ({"soup": {}}, "Soup Empty"),
    ({"soup": []}, "Soup empty"),
    ([[], {}], "empty empty"),
    ([{}], "empty"),
    ({"$table": {"columns": ["dish"], "rows": []}}, "0 rows Search Download CSV dish"),
    ({"$table": {"columns": [], "rows": []}}, "Empty table"),
    ({"$markdown": ""}, "Empty text"),
    ({"$html": " "}, "Empty text"),
]


def test_what_is_empty_is_called_so_and_not_none(ada: Visitor, backend: Backend) -> None:
    for value, words in EMPTY:
        values = {"state": State.SUCCEEDED, "result": value, "parameters": {"dishes": value}}
        run = make_run(backend, owner_id(backend, ada.email), "unknown", **values)
        row, page = soup(ada.get("/runs")), soup(ada.get(f"/runs/{run.id}"))
        assert " ".join(the(page, ".run-full__result").text.split()) == words
        shown = the(row, f"#run-{run.id} .run__result").text
        assert shown.split() == ["0", "rows:", "dish"] if "rows" in words else " ".join(shown.split()) in words
        assert "None" not in f"{row.text} {page.text}"
