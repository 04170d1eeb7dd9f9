"""A result, a template or a row that fails breaks no page: it is shown in a plainer form, and logged once."""

import logging
from typing import Any

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader
from sqlalchemy import text

from jobs.runs.backend import Backend
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run, State
from tests.support.people import claimed, make_run, note_file, owner_id
from tests.support.visitor import Visitor, soup, the
from tests.webapp.runs.test_output import put_out
from webapp.live.snapshot import difference, take_snapshot
from webapp.rendering import guards
from webapp.rendering.listings import Listing

FAULTY = {
    "missing value": "{{ result.value.kilograms.grams }}",
    "wrong shape": "{{ '%.1f' | format(result.value) }}",
    "no number": "{{ 1 / 0 }}",
    "no filter": "{{ result.value | weighed }}",
    "syntax": "{% if %}",
    "no include": "{% include 'results/_gone.html' %}",
    "endless": "{% include 'results/reverse_text.html' %}",
}


@pytest.fixture(autouse=True)
def _nothing_failed_yet() -> None:
    guards._failed.clear()


def bring(app: Flask, **templates: str) -> None:
    """Make the application find these templates before its own."""
    files = {f"{name.replace('__', '/')}.html": source for name, source in templates.items()}
    assert app.jinja_env.loader is not None
    app.jinja_env.loader = ChoiceLoader([DictLoader(files), app.jinja_env.loader])


def succeeded(backend: Backend, visitor: Visitor, result: Any, **values: Any) -> Run:
    return make_run(backend, owner_id(backend, visitor.email), state=State.SUCCEEDED, result=result, **values)


def pages(run: Run) -> list[str]:
    return [
        "/",
        "/runs",
        f"/tasks/{run.task}",
        f"/runs/{run.id}",
        "/live/changes?shown=",
        f"/live/changes?run={run.id}",
    ]


@pytest.mark.parametrize("source", FAULTY.values(), ids=FAULTY)
def test_a_faulty_template_of_a_task_breaks_no_page(
    app: Flask, ada: Visitor, backend: Backend, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    bring(app, results__reverse_text=source)
    run = succeeded(backend, ada, {"soup": "leek"})
    for address in pages(run):
        response = ada.get(address)
        assert response.status_code == 200, address
        assert "leek" in response.text, address
    (record,) = [one for one in caplog.records if one.name == guards.__name__]
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)
    assert record.getMessage().startswith(f"results/reverse_text.html cannot show run {run.id},")


def test_a_faulty_template_of_a_shape_leaves_the_json(app: Flask, ada: Visitor, backend: Backend) -> None:
    bring(app, results___mapping="{{ 1 / 0 }}", results__reverse_text="{{ 1 / 0 }}")
    run = succeeded(backend, ada, {"soup": "<b>leek</b>"})
    for address in pages(run):
        assert "leek&lt;/b&gt;" in ada.get(address).text, address
    whole = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__result pre").text
    assert whole == '{\n  "soup": "<b>leek</b>"\n}'


def test_a_part_that_fails_leaves_the_others(app: Flask, ada: Visitor, backend: Backend) -> None:
    bring(app, results___chart="{{ 1 / 0 }}")
    chart = {"$chart": {"kind": "bar", "series": {"": [1.0]}, "x": [], "title": "", "x_label": "", "y_label": ""}}
    run = succeeded(backend, ada, ["before", chart, [{"a": 1}]])
    page = soup(ada.get(f"/runs/{run.id}"))
    assert "before" in the(page, ".result--several").text
    assert the(page, ".result__part > pre.result--text:not([data-copied])").text.startswith('{\n  "$chart"')
    assert the(page, ".result--several td").text == "1"


def test_a_faulty_row_leaves_the_other_rows(app: Flask, ada: Visitor, backend: Backend) -> None:
    bring(app, runs___row_succeeded="{{ run.result.soup.grams.sum }}")
    bad, good = succeeded(backend, ada, {"soup": 1}), make_run(backend, owner_id(backend, ada.email))
    page = soup(ada.get("/runs"))
    assert the(page, f"#run-{bad.id} pre").text == '{"soup": 1}'
    assert the(page, f"#run-{bad.id}")["data-version"] == "1"
    assert page.select(f"#run-{good.id} pre") == []
    assert ada.get("/").status_code == 200


def test_a_faulty_page_of_a_run_shows_what_is_stored(app: Flask, ada: Visitor, backend: Backend) -> None:
    bring(app, runs___times="{{ 1 / 0 }}")
    run = succeeded(backend, ada, {"soup": 1})
    put_out(backend, claimed(backend, make_run(backend, owner_id(backend, ada.email))), "line")
    page = soup(ada.get(f"/runs/{run.id}"))
    assert the(page, f"article#run-{run.id} pre").text == '{"soup": 1}'
    assert "1" in ada.get(f"/live/changes?run={run.id}").text


def test_a_push_has_every_run_although_one_fails(app: Flask, ada: Visitor, backend: Backend) -> None:
    bring(app, results__reverse_text="{{ 1 / 0 }}", results___mapping="{{ 1 / 0 }}")
    runs = [succeeded(backend, ada, {"soup": number}) for number in range(3)]
    with app.test_request_context("/live"):
        frame = difference(None, take_snapshot(backend.database, Listing(runs[0].owner_id), None))
    assert all(f'id="run-{run.id}"' in frame for run in runs)


def test_a_partial_result_that_fails_leaves_the_others(app: Flask, ada: Visitor, backend: Backend) -> None:
    bring(app, results___scalar="{{ 1 / 0 }}")
    run = claimed(backend, make_run(backend, owner_id(backend, ada.email)))
    put_out(backend, run, "before", 42, kind=OutputKind.EMITTED)
    entries = [one.text for one in soup(ada.get(f"/runs/{run.id}")).select(".emitted li pre")]
    assert entries == ["before", "42"]


RESULTS: list[Any] = [
    {"$chart": {"kind": "bar", "series": 3}},
    {"$table": {"columns": ["a"], "rows": [[1, 2]]}},
    {"$table": None},
    {"$picture": {"sha256": "0" * 64, "width": "wide"}},
    {"$file": {}},
    {"$markdown": 3},
    {"$html": ["<b>"]},
    [{"$chart": 1}, {"$file": 2}, {"$table": {"columns": [], "rows": []}}],
    [[[[[[[[[{"$chart": {}}]]]]]]]]],
    {"": {"": {"": None}}},
    {"a" * 100_000: "b" * 100_000},
    [{"a" * 100_000: "b" * 100_000}],
    {"number": 3},
    {"estimate": "no number"},
    [1, 2],
    None,
    10**4000,
    "",
]


@pytest.mark.parametrize("task", ["reverse_text", "factorise", "estimate_pi", "gone"])
@pytest.mark.parametrize("result", RESULTS, ids=[str(result)[:30] for result in RESULTS])
def test_results_of_any_old_shape_break_no_page(ada: Visitor, backend: Backend, result: Any, task: str) -> None:
    run = succeeded(backend, ada, result, task=task, parameters={"other": [1]})
    for address in pages(run):
        if address != "/tasks/gone":
            assert ada.get(address).status_code == 200, address
    row = soup(ada.get("/runs")).select_one(f"#run-{run.id}")
    assert row is not None
    if task != "factorise":  # its template shows all of any list or dict
        assert len(str(row)) < 10_000, "however long its names and cells are"


def test_what_the_database_lacks_is_still_an_error_of_the_page(ada: Visitor, backend: Backend) -> None:
    succeeded(backend, ada, {"$picture": {"sha256": "0" * 64, "width": 1, "height": 1}})
    with backend.database.write() as session:
        session.execute(text("ALTER TABLE run_files RENAME TO away"))
    assert ada.get("/runs").status_code >= 500


def test_a_long_error_is_cut_in_a_row(ada: Visitor, backend: Backend) -> None:
    values = {"error_kind": "ValueError", "error_message": "soup " * 2000}
    run = make_run(backend, owner_id(backend, ada.email), state=State.FAILED, **values)
    assert len(str(the(soup(ada.get("/runs")), f"#run-{run.id}"))) < 2000


def test_notes_on_a_result_are_shown_with_it(ada: Visitor, backend: Backend) -> None:
    run = succeeded(backend, ada, [1], notes=["rows[3].price: left out.", "<b>And more.</b>"])
    notes = [one.text for one in soup(ada.get(f"/runs/{run.id}")).select(".result__notes li")]
    assert notes == ["rows[3].price: left out.", "<b>And more.</b>"]
    assert the(soup(ada.get("/runs")), ".result__notes").text == "rows[3].price: left out. And 1 more."


def test_a_file_in_a_cell_of_a_table_is_a_link_if_the_run_has_stored_it(ada: Visitor, backend: Backend) -> None:
    run = claimed(backend, make_run(backend, owner_id(backend, ada.email)))
    file = note_file(backend, run.id, b"mine")
    mine = {"$picture": {"sha256": file.sha256, "width": 20, "height": 10}}
    forged = {"$picture": {"sha256": "0" * 64, "width": 20, "height": 10}}
    with backend.database.write() as session:
        row = session.get_one(Run, run.id)
        row.state, row.result = State.SUCCEEDED, [{"dish": mine}, {"dish": forged}, {"dish": {"a": [1, "b"]}}]
    for address in (f"/runs/{run.id}", f"/runs/{run.id}/table"):
        cells = soup(ada.get(address)).select("td")
        assert [cell.text for cell in cells] == ["image of 20 × 10 pixels"] * 2 + ["a: 1, b"]
        assert the(cells[0], "a")["href"] == f"/runs/{run.id}/files/{file.sha256}"
        assert cells[1].select("a") == []
