"""The commands of `flask`, as a developer types them."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from flask import Flask
from PIL import Image
from sqlalchemy import event

from jobs import Download, Emit, Tile, task
from jobs.runs import lease, output
from jobs.runs.backend import Backend, open_backend
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.run import Run, State
from tests.support.gallery import CATALOG
from tests.support.people import make_owner, read
from tests.support.serving import catalog_of
from tests.support.stack import ROOT
from tests.support.tasks import FOLDER
from tests.support.waiting import until
from tests.webapp.forms.test_compounds import VALUES
from webapp import commands, create_app
from webapp.commands import arguments
from webapp.commands.task import task as task_commands
from webapp.current import backend_of


def flask(shell: Flask, *arguments: str) -> Result:
    return shell.test_cli_runner().invoke(args=arguments)


def test_the_tasks_are_listed_with_what_they_do_and_where_they_are(shell: Flask) -> None:
    lines = flask(shell, "task", "list").stdout.splitlines()
    assert any(line.startswith("reverse_text ") and "tests/support/tasks/reverse_text.py:" in line for line in lines)


def test_a_task_runs_here_and_prints_its_result(shell: Flask) -> None:
    assert flask(shell, "task", "run", "reverse_text", "--text", "dish").stdout == "hsid\n"
    result = flask(shell, "task", "run", "estimate_pi", "--samples", "1000")
    assert 2 < json.loads(result.stdout)["estimate"] < 4


def test_a_task_runs_here_on_its_example_and_what_is_said_beside_it_counts_more(shell: Flask) -> None:
    assert int(flask(shell, "task", "run", "random_number", "--example").stdout) in range(1, 7)
    said = flask(shell, "task", "run", "random_number", "--example", "--minimum", "6")
    assert said.stdout == "6\n", said.stderr
    assert json.loads(flask(shell, "task", "run", "count_words", "--example").stdout)[0] == {"word": "soup", "times": 2}


def test_a_value_that_is_refused_is_named_by_its_option(shell: Flask) -> None:
    result = flask(shell, "task", "run", "random_number", "--minimum", "many", "--maximum", "3")
    assert result.exit_code == 2
    assert "--minimum: Enter a whole number." in result.stderr
    missing = flask(shell, "task", "run", "reverse_text")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "--text: Fill this in." in missing.stderr


def test_the_options_of_a_task_are_the_fields_of_its_form(shell: Flask) -> None:
    words = flask(shell, "task", "run", "factorise", "--help").stdout
    assert "--number" in words
    assert "A whole number of up to 45 digits." in words
    unknown = flask(shell, "task", "run", "nothing_like_it")
    assert unknown.exit_code == 2
    assert "No task named 'nothing_like_it'. List the available tasks with flask task list." in unknown.stderr


def test_a_run_is_submitted_for_somebody_who_has_an_account(shell: Flask, backend: Backend) -> None:
    nobody = flask(shell, "task", "submit", "reverse_text", "--as", "nobody@example.com", "--text", "x")
    assert nobody.exit_code == 1
    assert "No account found for nobody@example.com" in nobody.stderr
    owner_id = make_owner(backend, "ada@example.com")
    accepted = flask(shell, "task", "submit", "reverse_text", "--as", "Ada@example.com", "--text", "x")
    assert accepted.exit_code == 0, accepted.stderr
    run = read(backend, Run(id=int(accepted.stderr.split()[1])))
    assert (run.owner_id, run.state, run.parameters) == (owner_id, State.QUEUED, {"text": "x"})


def test_nothing_is_submitted_for_somebody_whose_account_is_disabled(shell: Flask, backend: Backend) -> None:
    owner_id = make_owner(backend, "ada@example.com")
    flask(shell, "admin", "disable", "ada@example.com")
    arguments = ("task", "submit", "reverse_text", "--as", "ada@example.com", "--text", "x")
    refused = flask(shell, *arguments)
    assert refused.exit_code == 1
    assert (
        "The account ada@example.com is disabled. Enable it with flask admin enable ada@example.com" in refused.stderr
    )
    with backend.database.read() as session:
        assert session.query(Run).filter(Run.owner_id == owner_id).count() == 0
    flask(shell, "admin", "enable", "ada@example.com")
    assert flask(shell, *arguments).exit_code == 0


@contextmanager
def looks_at_runs(shell: Flask) -> Iterator[list[str]]:
    """Collect the statements by which a command reads runs."""
    engine, statements = backend_of(shell).database.engine, list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM runs" in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def await_look(looks: list[str]) -> None:
    """Wait for a whole look: one that began after this, and the beginning of the next."""
    before = len(looks)
    until(lambda: len(looks) >= before + 2, "a look at the run")


def test_who_follows_a_run_sees_a_line_when_it_has_ended(shell: Flask, backend: Backend) -> None:
    make_owner(backend, "ada@example.com")
    submit = ("task", "submit", "reverse_text", "--as", "ada@example.com", "--text", "x", "--follow")
    with looks_at_runs(shell) as looks, ThreadPoolExecutor() as threads:
        following = threads.submit(flask, shell, *submit)
        run = until(lambda: lease.claim(backend.database, 1, "worker"), "the submission")
        assert run is not None
        for percent in ("10 %", "20 %", "30 %"):
            half = [Entry(1.0, "err", percent)]
            assert output.store(backend.database, run, [], unfinished=half, replaces=True)
            await_look(looks)
        batch = Batch(OutputKind.LOG, [Entry(1.0, "err", "100 %")], 100)
        assert output.store(backend.database, run, [batch], unfinished=[Entry(1.0, "out", "half")], replaces=True)
        await_look(looks)
        assert lease.succeed(backend.database, run, "x")
        followed = following.result()
    assert followed.stderr.splitlines()[1:] == ["100 %", "half"]
    assert followed.stdout == "x\n"


@pytest.mark.parametrize("name", ["Shout", "2fast", "class", "a-b", "../up", "x" * 101, "größe"])
def test_a_name_that_no_task_can_have_is_refused(shell: Flask, name: str) -> None:
    result = flask(shell, "task", "new", "--", name)
    assert result.exit_code == 1
    assert "is not a valid task name" in result.stderr


def test_settings_that_are_wrong_leave_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "many")
    result = flask(commands.create_app(), "doctor")
    assert result.exit_code == 1
    assert "settings: PORT" in result.stdout


def test_ctrl_c_asks_a_task_to_stop(backend: Backend) -> None:
    """On a terminal, where a person sees how far it is."""
    own = {"PATH": os.environ["PATH"], "DATA_DIR": str(backend.settings.data_dir), "TASKS": str(FOLDER)}
    command = [sys.executable, "-m", "flask", "task", "run", "estimate_pi", "--samples", "10000000000"]
    terminal, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        while b"%" not in seen:
            seen += os.read(terminal, 1000)
        running.send_signal(signal.SIGINT)
        while b"Stopped." not in seen:
            seen += os.read(terminal, 1000)
        assert running.wait(60) == 1
    os.close(terminal)


@task
def paint(width: int, emit: Emit) -> Image.Image:
    """Paint something red."""
    emit(Tile(Image.new("RGB", (1, 1), "red"), 0, 0, width, 2))
    return Image.new("RGB", (width, 2), "red")


def test_an_image_that_a_task_returns_can_be_kept(backend: Backend, tmp_path: Path) -> None:
    app = create_app(open_backend(backend.settings, catalog_of(paint)))
    app.cli.add_command(task_commands)
    file = tmp_path / "image.png"
    said = flask(app, "task", "run", "paint", "--width", "3")
    assert said.stderr.splitlines() == [
        "An image of 1 × 1 pixels, a tile",
        "An image of 3 × 2 pixels. Use --save FILE to save it.",
    ]
    none = flask(app, "task", "run", "paint", "--example")
    assert (none.exit_code, none.stdout) == (2, "")
    assert "paint has no example" in none.stderr
    assert flask(app, "task", "run", "paint", "--width", "3", "--save", str(file)).exit_code == 0
    with Image.open(file) as image:
        assert image.size == (3, 2)


@task
def serve(dish: str) -> list[object]:
    """Serve a dish on paper, and its picture."""
    return [Download(dish.encode(), f"{dish}.txt"), {"picture": Image.new("RGB", (3, 2), "red"), "price": 7}]


def test_files_that_a_task_returns_can_be_kept(backend: Backend, tmp_path: Path) -> None:
    app = create_app(open_backend(backend.settings, catalog_of(serve)))
    app.cli.add_command(task_commands)
    paper, picture = tmp_path / "paper", tmp_path / "picture"
    said = flask(app, "task", "run", "serve", "--dish", "soup", "--save", str(paper))
    assert said.stderr.splitlines() == ["An image of 3 × 2 pixels. Use --save FILE to save it."]
    assert json.loads(said.stdout)[1]["price"] == 7
    assert paper.read_text() == "soup"
    both = ("--save", str(paper), "--save", str(picture))
    assert flask(app, "task", "run", "serve", "--dish", "soup", *both).stderr == ""
    with Image.open(picture) as image:
        assert image.size == (3, 2)
    one_too_many = flask(app, "task", "run", "serve", "--dish", "soup", *both, "--save", str(tmp_path / "more"))
    assert "Too many --save options: the result has 2 images and files." in one_too_many.stderr


@task
def spoil(dish: str) -> list[object]:
    """Serve a dish, and something that cannot be stored."""
    return [dish, len]


def test_what_is_left_out_of_a_result_is_said_beside_it(backend: Backend) -> None:
    app = create_app(open_backend(backend.settings, catalog_of(spoil)))
    app.cli.add_command(task_commands)
    said = flask(app, "task", "run", "spoil", "--dish", "soup")
    assert json.loads(said.stdout) == ["soup", None]
    assert said.stderr.startswith("Note: [1]: left out. It cannot be stored as JSON")


def test_options_of_several_values_are_repeated_and_those_with_parts_are_json() -> None:
    choices, compounds = (CATALOG[name] for name in ("choices", "compounds"))
    repeated = [option.name for option in arguments.options_of(choices) if getattr(option, "multiple", False)]
    assert repeated == ["days", "extras"]
    chosen = {"size": "2", "day": "Friday", "country": "KENYA", "days": ("Monday", "Sunday")}
    kept = arguments.read(choices, chosen).model_dump(mode="json")
    assert (kept["country"], set(kept["days"]), kept["tone"]) == ("Kenya", {"Monday", "Sunday"}, "formal")
    parts = {name: json.dumps(value) for name, value in VALUES.items() if value is not None}
    assert arguments.read(compounds, parts).model_dump(mode="json") == VALUES
    for broken, words in (("{", "--sender: Invalid JSON"), ('{"street": "x"}', "--sender.zip-code: Fill this in.")):
        with pytest.raises(click.UsageError, match=words):
            arguments.read(compounds, parts | {"sender": broken})


def test_files_are_given_as_paths(shell: Flask, backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "soup.txt"
    path.write_text("soup and soup")
    options = ("count_words", "--texts", str(path), "--texts", str(path), "--most", "1")
    result = flask(shell, "task", "run", *options)
    assert result.exit_code == 0, result.stderr
    assert "soup" in result.stdout
    make_owner(backend, "ada@example.com")
    accepted = flask(shell, "task", "submit", *options, "--as", "ada@example.com")
    assert accepted.exit_code == 0, accepted.stderr
    run = read(backend, Run(id=int(accepted.stderr.split()[1])))
    assert [text["$file"]["name"] for text in run.parameters["texts"]] == ["soup.txt"]
    other = flask(shell, "task", "run", "count_words", "--texts", str(tmp_path / "none.txt"))
    assert (other.exit_code, "does not exist" in other.stderr) == (2, True)
