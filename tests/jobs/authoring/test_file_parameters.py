"""Files as parameters: what a task gets, what is kept, and who opens them."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from jobs import File, FileField, task
from jobs.authoring.file_parameters import file_in, files_in
from jobs.authoring.task import Task
from jobs.runs.backend import Backend
from jobs.values.media_types import media_type_of
from jobs.values.outcome import Failure, Outcome, Success
from jobs.worker.execute import Order
from tests.support.calling import Received, executed
from tests.support.serving import catalog_of
from tests.support.stored_files import lose


@task
def count_lines(table: File, more: list[File] | None = None) -> list[int]:
    """Count the lines of files."""
    counted = []
    for file in [table, *(more or [])]:
        with file.open() as stream:
            counted.append(len(stream.readlines()))
    return counted


COUNT_LINES: Task = count_lines.__dict__["__task__"]


def kept(backend: Backend, content: bytes, name: str = "a.csv") -> dict[str, Any]:
    stored = backend.files.put(content)
    return File(name, stored.size, stored.sha256, media_type_of(name)).kept()


def outcome_of(backend: Backend, given: dict[str, Any]) -> Outcome:
    return executed(catalog_of(count_lines), Order("count_lines", given), Received(store=backend.files))


def test_a_task_stays_a_plain_function_of_files_at_paths(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a\nb\n")
    file = File.at(path)
    assert (file.name, file.size, file.media_type) == ("table.csv", 4, "text/csv")
    assert count_lines(file, [file]) == [2, 2]


@pytest.mark.both_stores
def test_what_is_kept_leads_to_the_same_file_in_the_store(backend: Backend) -> None:
    given = {"table": kept(backend, b"a\nb\n"), "more": [kept(backend, b"c\n", "c.txt")]}
    parameters = COUNT_LINES.parameters.model_validate(given)
    assert parameters.model_dump(mode="json") == given
    assert COUNT_LINES.parameters.model_validate(parameters.model_dump(mode="json")) == parameters
    assert [file.name for file in files_in(given)] == ["a.csv", "c.txt"]
    assert outcome_of(backend, given) == Success([2, 1])


@pytest.mark.both_stores
def test_a_file_that_is_not_kept_any_more_fails_the_run_by_its_name(backend: Backend) -> None:
    given = {"table": kept(backend, b"gone")}
    lose(backend, given["table"]["$file"]["sha256"])
    outcome = outcome_of(backend, given)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.message) == ("FileNotFoundError", "a.csv cannot be read: the file has been deleted")


@pytest.mark.parametrize(
    "change", [{"sha256": "../../etc/passwd"}, {"size": -1}, {"name": "x" * 201}, {"size": "1"}, {"path": "/etc"}]
)
def test_what_has_not_the_form_of_a_reference_is_refused(backend: Backend, change: dict[str, Any]) -> None:
    forged = {"$file": {**kept(backend, b"a")["$file"], **change}}
    assert file_in(forged) is None
    with pytest.raises(ValidationError, match="Choose a file"):
        COUNT_LINES.parameters.model_validate({"table": forged})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.csv", ""),
        ("A.CSV", ""),
        ("a.txt", ""),
        ("a.png", ""),
        ("a.pdf", "a.pdf is not an accepted type. Choose one of: .csv, text/plain, any image."),
        ("csv", "is not an accepted type"),
        ("big.csv", "big.csv is larger than 0.001 MB. Choose a smaller file."),
    ],
)
def test_a_field_says_which_files_it_takes(name: str, words: str) -> None:
    @task
    def one(
        it: Annotated[list[File], FileField(accept=(".csv", "text/plain", "image/*"), max_mb=0.001)],
        other: Annotated[File | None, FileField(max_mb=1)] = None,
    ) -> None: ...

    made: Task = one.__dict__["__task__"]
    file = File(name, 1001 if name.startswith("big") else 1000, "0" * 64, media_type_of(name))
    if not words:
        made.parameters.model_validate({"it": [file], "other": file})
        return
    with pytest.raises(ValidationError) as refused:
        made.parameters.model_validate({"it": [file]})
    assert words in str(refused.value)
