"""What tasks return: each value goes through a real worker, is stored as it should be, and shown on its run's page."""

from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask

from jobs import task
from jobs.runs.run import Run, State
from tests.support.run_task import RunTask
from tests.values import figures, files, frames, images, numbers, polars_frames, standard
from tests.values.case import Case, fits
from webapp import create_app
from webapp.rendering import fragments, guards
from webapp.rendering.tables import ROWS_AT_A_GLANCE

# One worker serves all of them.
pytestmark = pytest.mark.xdist_group("values")

MODULES = (standard, numbers, frames, polars_frames, images, files, figures)
CASES: dict[str, Case] = {
    f"{module.__name__.rpartition('.')[2]}: {name}": case for module in MODULES for name, case in module.CASES.items()
}
LEAVES_LOOKED_FOR = 30
LONGEST_WORD = 150


@task
def give(case: str) -> Any:
    """Return the value of a case."""
    return CASES[case].make()


@pytest.fixture(scope="session")
def app(run_task: RunTask) -> Flask:
    """An application that has the runs of these tests."""
    return create_app(run_task.backend)


@pytest.mark.parametrize("name", CASES)
def test_a_value_is_stored_and_shown_as_it_should_be(run_task: RunTask, app: Flask, name: str) -> None:
    case, files = CASES[name], run_task.backend.files

    def content(sha256: str) -> bytes:
        with files.open(sha256) as stream:
            return stream.read()

    ended = run_task(give, case=name)
    assert (ended.state, ended.error) == (State.SUCCEEDED, None)
    assert fits(case.kept, ended.result, content), ended.result
    assert len(ended.notes) == len(case.notes), ended.notes
    for note, expected in zip(ended.notes, case.notes, strict=True):
        assert note.startswith(expected)
    page, row = drawn(run_task, app, ended.id)
    for words in (*shown_of(ended.result), *case.shown, *ended.notes):
        assert " ".join(words.split()) in " ".join(page.text.split())
    assert len(page.select("img, svg[role=img]")) == len(list(marks_of(ended.result, "$picture", "$chart")))
    assert "cannot be shown" not in page.text + row.text
    assert page.select("script, [style], [onload]") == []
    assert not guards._failed


def drawn(run_task: RunTask, app: Flask, run_id: int) -> tuple[Tag, Tag]:
    """The result on a run's page, and the row of the run."""
    with run_task.backend.database.read() as session:
        run = session.get_one(Run, run_id)
    with app.app_context():
        page = BeautifulSoup(fragments.full(run), "html.parser").select_one(".run-full__body")
        row = BeautifulSoup(fragments.row(run), "html.parser")
    assert page is not None
    return page, row


def shown_of(result: Any) -> Iterator[str]:
    """The words that a page has to show of a result: the first of its texts and numbers that are short."""
    found = (word for word in words_of(result) if 0 < len(word) <= LONGEST_WORD and word.isprintable())
    for _, word in zip(range(LEAVES_LOOKED_FOR), found, strict=False):
        yield word


def words_of(value: Any) -> Iterator[str]:
    match value:
        case {"$file": {"name": name}}:
            yield name
        case {"$picture": _} | {"$chart": _} | {"$html": _} | {"$markdown": _}:
            return
        case {"$table": {"columns": columns, "rows": rows}}:
            yield from columns
            yield from words_of(
                [cell for row in rows[:ROWS_AT_A_GLANCE] for cell in row if not isinstance(cell, dict | list)]
            )
        case dict() | list():
            for part in value.values() if isinstance(value, dict) else value:
                yield from words_of(part)
        case bool():
            yield "yes" if value else "no"
        case str() | int() | float():
            yield str(value)


def is_table(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(part, dict) and not (len(part) == 1 and next(iter(part)).startswith("$")) for part in value
    )


def marks_of(value: Any, *marks: str) -> Iterator[str]:
    """The images and charts that a page draws: those in cells of tables are links."""
    if isinstance(value, dict) and len(value) == 1 and (mark := next(iter(value))).startswith("$"):
        if mark in marks:
            yield mark
    elif isinstance(value, dict | list) and not is_table(value):
        for part in value.values() if isinstance(value, dict) else value:
            yield from marks_of(part, *marks)
