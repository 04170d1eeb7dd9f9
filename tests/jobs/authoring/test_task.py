"""@task: a signature becomes a task, or is refused with file and line."""

import inspect
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, SecretStr, ValidationError

from jobs import Progress, Secrets, task
from jobs.authoring.context import LONGEST_NOTE_SENT
from jobs.authoring.labels import ICONS
from jobs.authoring.secrets import HIDDEN
from jobs.authoring.task import Task, TaskError
from tests.support.calling import called


def definition(function: Any) -> Task:
    found = function.__dict__["__task__"]
    assert isinstance(found, Task)
    return found


@task
def shout(text: Annotated[str, Field(min_length=1, max_length=200)], times: int = 1) -> str:
    """Say it louder.

    And nobody shows this line.
    """
    return " ".join([text.upper()] * times)


def test_a_task_stays_the_plain_function_it_was() -> None:
    assert shout("ha", times=2) == "HA HA"


def test_name_title_and_description_come_from_the_function() -> None:
    assert definition(shout).name == "shout"
    assert definition(shout).title == "Shout"
    assert definition(shout).description == "Say it louder."


def test_the_parameters_are_a_model_of_the_signature() -> None:
    model = definition(shout).parameters
    assert model.model_validate({"text": "ha"}).model_dump() == {"text": "ha", "times": 1}
    with pytest.raises(ValidationError):
        model.model_validate({"text": ""})
    with pytest.raises(ValidationError):
        model.model_validate({"text": "ha", "unknown": 1})


def test_options_replace_what_is_derived() -> None:
    @task(title="A better name", timeout=5)
    def named() -> None: ...

    assert definition(named).title == "A better name"
    assert definition(named).timeout == 5


def test_context_is_asked_for_by_annotation_and_is_no_parameter() -> None:
    @task
    def count(to: int, progress: Progress) -> int:
        progress(1.0)
        return to

    assert list(definition(count).parameters.model_fields) == ["to"]
    parameters = definition(count).parameters.model_validate({"to": 3})
    said: list[float | None] = []
    assert definition(count).call(parameters, {Progress: Progress(lambda share, _note: said.append(share))}) == 3
    assert said == [1.0]


def test_a_parameter_without_an_annotation_is_refused_with_file_and_line() -> None:
    with pytest.raises(TaskError, match=r"test_task\.py:\d+: task 'vague'.*'thing' needs a type annotation"):

        @task
        def vague(thing):  # type: ignore[no-untyped-def]  # the mistake that is tested
            return thing


def test_star_arguments_are_refused() -> None:
    with pytest.raises(TaskError, match="'things' must accept a keyword argument"):

        @task
        def many(*things: int) -> None: ...


@pytest.mark.parametrize(("given", "kept"), [(-1, 0.0), (0.25, 0.25), (7, 1.0), (None, None)])
def test_progress_stays_between_nothing_and_all(given: float | None, kept: float | None) -> None:
    said: list[tuple[float | None, str]] = []
    Progress(lambda *report: said.append(report))(given, "\x00")
    assert said == [(kept, "\\x00")]


def test_a_note_is_cut_at_200_characters_after_it_was_redacted() -> None:
    said: list[tuple[float | None, str]] = []
    Progress(lambda *report: said.append(report))(None, "x" * 2000)
    assert [len(note) for _share, note in said] == [LONGEST_NOTE_SENT], "more than is shown, and bounded"

    def work(secrets: Secrets, progress: Progress) -> None:
        progress(0.5, "x" * 190 + secrets["TOKEN"] + "y" * 300)

    _outcome, heard = called(work, secrets={"TOKEN": "correct-horse-battery"})
    assert heard.progress == [(0.5, ("x" * 190 + HIDDEN + "y" * 300)[:200])]


def test_a_name_that_the_database_cannot_hold_is_refused() -> None:
    def long() -> None: ...

    long.__name__ = "a" * 101
    with pytest.raises(TaskError, match="longer than 100 characters"):
        task(long)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groups": "finance"}, "'groups' must be a list of names"),
        ({"groups": [" finance"]}, "'groups' must be a list of names"),
        ({"groups": [1]}, "'groups' must be a list of names"),
        ({"retrys": 3}, "unknown option 'retrys'; the options are title, timeout"),
        ({"retries": -1}, "'retries' must be a number of at least 0, not -1"),
        ({"retries": 1.5}, "'retries' must be an integer"),
        ({"timeout": 0}, "'timeout' must be a number of at least 1, not 0"),
        ({"memory": "512 MB"}, "'memory' must be a number of at least 1, not '512 MB'"),
        ({"backoff": float("inf")}, "'backoff' must be a number of at least 0, not inf"),
        ({"concurrency": 0}, "'concurrency' must be a whole number of at least 1, not 0"),
        ({"concurrency": True}, "'concurrency' must be a whole number of at least 1, not True"),
        ({"concurrency": "two"}, "'concurrency' must be a whole number of at least 1, not 'two'"),
        ({"per": "owner"}, "'per' requires the option 'concurrency'"),
        ({"concurrency": 1, "per": 7}, "'per' must be the name of a parameter, or \"owner\""),
        ({"concurrency": 1, "per": "customer"}, "per='customer' names no parameter: use one of 'owner'"),
        (
            {"group": ["finance"]},
            "'group' must be a heading such as \"Images\", not ['finance']. Who may use a task is",
        ),
        ({"group": "two\nlines"}, "'group' must be a heading"),
        ({"tags": "csv"}, "'tags' must be a list of up to 8 words such as [\"csv\"], not 'csv'"),
        ({"tags": ["csv", ""]}, "'tags' must be a list"),
        ({"tags": [str(number) for number in range(9)]}, "'tags' must be a list of up to 8 words"),
        ({"icon": "tabel"}, "'icon' must be an emoji or one of calculator, chart"),
        ({"icon": "😀 smile"}, "'icon' must be an emoji"),
        ({"icon": "7"}, "'icon' must be an emoji"),
        ({"icon": 7}, "'icon' must be an emoji"),
    ],
)
def test_an_option_that_means_nothing_is_refused_with_its_name(options: Any, words: str) -> None:
    def hurry() -> None: ...

    with pytest.raises(TaskError, match=re.escape(words)):
        task(**options)(hurry)


@pytest.mark.parametrize(
    ("annotation", "name", "words"),
    [
        (SecretStr, "key", "per='key' names a secret"),
        (dict[str, SecretStr], "key", "per='key' names a secret"),
        (set[int], "key", "per='key' names a set"),
        (int, "owner", "rename the parameter"),
        (Progress, "key", "per='key' names no parameter"),
    ],
)
def test_a_limit_for_each_value_needs_values_that_can_be_compared(annotation: Any, name: str, words: str) -> None:
    def hurry(**_parameters: Any) -> None: ...

    parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    hurry.__dict__["__signature__"] = inspect.Signature([parameter])
    with pytest.raises(TaskError, match=re.escape(words)) as raised:
        task(concurrency=1, per=name)(hurry)
    assert "test_task.py:" in str(raised.value)


@pytest.mark.parametrize("icon", ["table", "📊", "👩🏽‍🍳", "🇨🇿", "❤️", "1️⃣", "👨‍👩‍👧‍👦"])
def test_a_task_has_a_group_tags_and_an_icon(icon: str) -> None:
    @task(group="Tables", tags=["csv", "Ärger"], icon=icon)
    def found() -> None: ...

    assert (definition(found).group, definition(found).tags, definition(found).icon) == (
        "Tables",
        ["csv", "Ärger"],
        icon,
    )


def test_every_icon_is_a_symbol_of_the_sprite() -> None:
    sprite = (Path(__file__).parents[3] / "static" / "icons.svg").read_text()
    assert [name for name in ICONS if f'id="task-{name}"' not in sprite] == []


def test_an_option_says_how_a_task_is_run() -> None:
    @task(timeout=5, retries=3, backoff=1, memory=64, grace=0)
    def careful() -> None: ...

    definition = careful.__dict__["__task__"]
    assert (definition.timeout, definition.attempts, definition.memory, definition.grace) == (5, 4, 64, 0)
