"""Values that tasks return: a real worker stores each as expected, and its run's page shows it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from jobs import task
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.submission import submit
from tests.support.people import owner_id, read
from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.visitor import the
from tests.support.waiting import until
from tests.values.case import fits
from tests.values.cases import CASES
from webapp.rendering.tables import ROWS_OF_PART

# One application serves all of them.
pytestmark = pytest.mark.xdist_group("values")

PATIENCE_SECONDS = 120
LEAVES_LOOKED_FOR = 30
LONGEST_WORD = 150
TASK = '''"""Values."""

from typing import Any

from jobs import task
from tests.values.cases import CASES


@task
def give(case: str) -> Any:
    """Return the value of a case."""
    return CASES[case].make()
'''


@task
def give(case: str) -> Any:
    """Stand for the task of the application."""


@dataclass(frozen=True)
class Given:
    """The application's data, the owner of all runs, and the runs by the names of their cases."""

    backend: Backend
    owner: Person
    runs: Mapping[str, Run]

    def ended(self, name: str) -> Run:
        run = self.runs[name]
        until(lambda: read(self.backend, run).state.ended, f"the end of {name}", PATIENCE_SECONDS)
        return read(self.backend, run)

    def content(self, sha256: str) -> bytes:
        with self.backend.files.open(sha256) as stream:
            return stream.read()


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """An application with a task that returns these values, and a run for each of them, submitted at once.

    Its template process is started anew: polars hangs in the fork of a process that has used it, as tests have.
    """
    tasks = tmp_path_factory.mktemp("values")
    (tasks / "give.py").write_text(TASK)
    registered = give.__dict__["__task__"]
    with Stack(tmp_path_factory.mktemp("given"), WORKERS="1", TASKS=str(tasks)) as stack:
        backend, owner = stack.backend(), Person(stack.url, "ada@example.com")
        ada = owner_id(backend, owner.email)
        parameters = {name: registered.parameters(case=name) for name in CASES}
        yield Given(backend, owner, {name: submit(backend, registered, ada, parameters[name]) for name in CASES})
        backend.database.close()


@pytest.mark.parametrize("name", CASES)
def test_a_value_is_stored_and_shown_as_it_should_be(given: Given, name: str) -> None:
    case, run = CASES[name], given.ended(name)
    assert (run.state, run.error_message) == (State.SUCCEEDED, None)
    assert fits(case.kept, run.result, given.content), run.result
    notes = run.notes or []
    assert len(notes) == len(case.notes), notes
    for note, expected in zip(notes, case.notes, strict=True):
        assert note.startswith(expected)
    page = the(given.owner.get(f"/runs/{run.id}"), ".run-full__body")
    text = " ".join(page.text.split())
    for words in (*shown_of(run.result), *case.shown, *notes):
        assert " ".join(words.split()) in text
    assert len(page.select("img, figure.chart")) == len(list(marks_of(run.result, "$picture", "$chart")))
    assert "cannot be shown" not in text
    assert page.select("script, [style], [onload]") == []


def test_the_history_shows_every_value_in_a_row(given: Given) -> None:
    for name in CASES:
        given.ended(name)
    rows, address = list[str](), "/runs"
    while address:
        page = given.owner.get(address)
        assert "cannot be shown" not in page.text
        rows += [str(row["id"]) for row in page.select(".run")]
        older = page.select_one("a[rel=next]")
        address = str(older["href"]) if older else ""
    assert sorted(rows) == sorted(f"run-{run.id}" for run in given.runs.values())


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
            yield from words_of([cell for row in rows[:ROWS_OF_PART] for cell in row if isinstance(cell, str | bool)])
        case [_, *_] if is_table(value):
            yield from words_of([cell for row in value for cell in row.values() if not isinstance(cell, int | float)])
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
