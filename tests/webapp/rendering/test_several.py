"""Results of several parts: each part is shown as what it is, in lists and in dicts, and in a row the first."""

from typing import Any

import pytest
from flask import Flask
from PIL import Image

from jobs import Chart, Markdown
from jobs.runs.backend import Backend
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run, State
from jobs.values.json_value import json_value
from jobs.values.outcome import Success
from tests.support.calling import called
from tests.support.people import claimed, make_run, note_file, owner_id
from tests.support.visitor import Visitor, soup, the
from tests.support.work import calls_of
from tests.webapp.runs.test_output import put_out
from webapp.rendering.results import Result

LOSS = Chart("line", [3, 2, 1], title="Loss")
PEOPLE = [{"name": "Ada", "age": 36}, {"name": "Grace", "age": 85}]
SEVERAL: list[Any] = [Markdown("# A *report*"), "of", LOSS, PEOPLE, [1, [2, 3]], {"best": {"loss": 0.1, "at": [1, 2]}}]


def shown(backend: Backend, visitor: Visitor, result: Any) -> Run:
    owner = owner_id(backend, visitor.email)
    return make_run(backend, owner, state=State.SUCCEEDED, result=json_value(result))


def test_several_values_are_shown_in_their_order_each_as_what_it_is(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, tuple(SEVERAL))
    several = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__result .result--several")
    kinds = [" ".join(the(one, ":scope > *")["class"]) for one in several.select(".result__part")]
    assert kinds == [
        "result prose",
        "copyable",
        "result result--chart chart",
        "result result--table",
        "result result--sequence",
        "result result--several",
    ]
    assert [one.text for one in several.select(".result--sequence li")] == ["1", "2, 3"]


def test_so_are_the_values_of_a_dict(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, {"the_loss": LOSS, "people": PEOPLE, "best": {"loss": 0.1, "at": [1, {"a": None}]}})
    result = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__result")
    assert [one.text for one in result.select(".result__part > h3")] == ["The loss", "People"]
    assert len(result.select(".drawings--one > .result__part > figure.chart")) == 1
    assert len(result.select(".result__part > .result--table")) == 1
    assert [one.text for one in result.select(".result--several > dl > dt")] == ["Best"]
    assert [one.text for one in result.select("dd dl dd")] == ["0.1", "1, (a: nothing)"]


def test_charts_and_images_that_follow_each_other_stand_beside_each_other(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, [LOSS, LOSS, "text", LOSS])
    page = soup(ada.get(f"/runs/{run.id}"))
    assert [len(one.select("figure.chart")) for one in page.select(".drawings")] == [2, 1]
    run = shown(backend, ada, {"a": 1, "b": LOSS, "c": LOSS, "d": 2})
    result = the(soup(ada.get(f"/runs/{run.id}")), ".result--several")
    assert [one.name for one in result.find_all(recursive=False)] == ["dl", "div", "dl"]


def test_a_table_within_has_pages_and_a_csv_of_its_own(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, {"a": SEVERAL})
    page = soup(ada.get(f"/runs/{run.id}"))
    by_age = str(the(page, ".result--table th:nth-child(2) a")["href"])
    csv = str(the(page, ".table__csv")["href"])
    assert (by_age, csv) == (f"/runs/{run.id}/table?by=1&part=0.3", f"/runs/{run.id}/table.csv?part=0.3")
    assert [one.text for one in soup(ada.get(f"{by_age}&order=desc")).select("td")][0::2] == ["Grace", "Ada"]
    assert ada.get(csv).data.decode("utf-8-sig").splitlines()[0] == "name,age"
    assert ada.get(f"/runs/{run.id}/table.csv?part=0.2").data.decode("utf-8-sig").splitlines()[0] == "x,y"


@pytest.mark.parametrize("part", ["0", "0.0", "0.3.0", "9", "-1", "0.9", "²", "0..x", "0.3." * 50, "9" * 5000, "%00"])
def test_an_address_of_no_table_is_not_found(ada: Visitor, backend: Backend, part: str) -> None:
    run = shown(backend, ada, {"a": SEVERAL})
    assert ada.get(f"/runs/{run.id}/table?part={part}").status_code == 404


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (SEVERAL, "A report"),
        ([LOSS, "text"], "Loss"),
        (["text", LOSS], "text"),
        ([PEOPLE, LOSS], "2 rows: name, age"),
        ({"loss": LOSS, "n": {"a": 1}}, "Loss Loss N A 1"),
    ],
)
def test_a_row_shows_the_first(ada: Visitor, backend: Backend, result: Any, words: str) -> None:
    shown(backend, ada, result)
    row = the(soup(ada.get("/runs")), ".run__result")
    assert " ".join(row.text.split()).startswith(words)
    assert row.select("svg[role=img]") == []


@pytest.mark.parametrize("value", [[1, "a"], [[1], [2]], [], [[]], ["a"] * 101])
def test_a_list_of_plain_values_stays_a_list(value: Any) -> None:
    assert Result(1, "a", value).shape == "sequence"


def test_images_within_are_kept_and_shown_and_forged_ones_are_words(ada: Visitor, backend: Backend) -> None:
    run = claimed(backend, make_run(backend, owner_id(backend, ada.email)))
    file = note_file(backend, run.id, b"not looked at")
    mine = {"$picture": {"sha256": file.sha256, "width": 2, "height": 1}}
    forged = {"$picture": {"sha256": "0" * 64, "width": 2, "height": 1}}
    put_out(backend, run, [mine, forged, PEOPLE], {"mine": mine, "forged": forged}, kind=OutputKind.EMITTED)
    emitted = the(soup(ada.get(f"/runs/{run.id}")), ".emitted")
    assert [one["src"] for one in emitted.select("img")] == [f"/runs/{run.id}/files/{file.sha256}"] * 2
    assert emitted.select(".result--table a, .result--table form") == [], "a partial result has no address"


def test_a_task_may_return_images_within_its_result() -> None:
    def paint() -> Any:
        return {"one": Image.new("RGB", (2, 1)), "more": ("text", [Image.new("RGB", (1, 1))])}

    outcome, heard = called(paint)
    assert isinstance(outcome, Success)
    assert outcome.result["one"].keys() == outcome.result["more"][1][0].keys() == {"$picture"}
    assert len(heard.files) == 2


def test_what_contains_itself_is_left_out_and_says_so() -> None:
    def endless() -> Any:
        within: list[Any] = ["a"]
        within.append(within)
        return within

    outcome, _heard = called(endless)
    assert isinstance(outcome, Success)
    assert outcome.result == ["a", None]
    assert outcome.notes == ("[1]: left out. It cannot be stored as JSON: it contains itself.",)


@pytest.mark.parametrize("value", [[[1]] * 200_000, {str(n): n for n in range(60_000)}, [[[[]]]] * 100])
def test_the_largest_are_found_without_looking_at_every_item(app: Flask, backend: Backend, value: Any) -> None:
    shown = Result(1, "a", json_value(value), part=())
    assert calls_of(lambda: shown.shape) < 50_000
    assert shown.shape in ("sequence", "mapping")
