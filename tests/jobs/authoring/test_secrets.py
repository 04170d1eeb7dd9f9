"""Secrets: kept encrypted, given to tasks that ask, and shown nowhere."""

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs import Checkpoint, Download, Emit, Log, Progress, Secrets, task
from jobs.authoring.secrets import HIDDEN, MissingSecret
from jobs.authoring.task import TaskError
from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.runs.submission import cancel, submit
from jobs.values.outcome import Failure, Success
from jobs.worker.execute import Order
from tests.support.calling import Received, called, executed
from tests.support.people import make_owner, read
from tests.support.run_task import RunTask
from tests.support.serving import catalog_of, ended, serving, start
from tests.support.waiting import until

VALUE = "correct-horse-battery"
LINES = "-----BEGIN KEY-----\nmiddle of the key\n-----END KEY-----"


@task
def tell_all(
    word: str, secrets: Secrets, progress: Progress, emit: Emit, log: Log, checkpoint: Checkpoint, end: str = "return"
) -> Any:
    """Show a secret wherever a task can show anything."""
    value, lines = secrets["API_TOKEN"], secrets["KEY_FILE"]
    progress(0.5, "x" * (199 - len(value) // 2) + value)
    print(f"a line with {value} in it")
    print(lines)
    print(repr(lines), json.dumps(lines))
    log.warning("a warning with " + value)
    logging.getLogger("some.library").warning("logged %s", value)
    try:
        raise KeyError(value)
    except KeyError:
        logging.getLogger("some.library").exception("and failed")
    emit({value: [value, f"<{value}>"]})
    checkpoint.save([value])
    emit(Download(b"for sale", f"{value}.txt", f"text/{value}"))
    if end == "raise":
        raise ValueError(f"{value} is wrong")
    return {"value": value, "environment": value in str(os.environ), "secrets": repr(secrets)}


@task(secrets=["API_TOKEN"])
def declared(secrets: Secrets) -> list[str]:
    """Return the names of its secrets."""
    return list(secrets)


@task
def needs(secrets: Secrets) -> str:
    """Use a secret."""
    return secrets["API_TOKEN"]


SECRETS = {"API_TOKEN": VALUE, "KEY_FILE": LINES}


def everywhere(data_dir: Path) -> bytes:
    return b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())


def test_a_secret_stands_nowhere_in_clear(run_task: RunTask) -> None:
    returned = run_task(tell_all, word="x", secrets=SECRETS)
    assert (returned.state, returned.error) == (State.SUCCEEDED, None)
    assert returned.result == {"value": HIDDEN, "environment": False, "secrets": "Secrets(API_TOKEN, KEY_FILE)"}
    assert returned.emitted[0] == {HIDDEN: [HIDDEN, f"<{HIDDEN}>"]}
    assert returned.emitted[1]["$file"]["name"] == f"{HIDDEN}.txt"
    assert returned.output[:6] == [
        f"a line with {HIDDEN} in it",
        HIDDEN,
        HIDDEN,
        HIDDEN,
        f"'{HIDDEN}' \"{HIDDEN}\"",
        f"a warning with {HIDDEN}",
    ]
    raised = run_task(tell_all, word="x", end="raise", secrets=SECRETS)
    assert raised.error == f"ValueError: {HIDDEN} is wrong"
    assert f"ValueError: {HIDDEN} is wrong" in str(raised.traceback)
    backend = run_task.backend
    dumped = b"".join(backend.redis.dump(key) or b"" for key in backend.redis.scan_iter())
    kept = everywhere(backend.settings.data_dir) + dumped
    for secret in (VALUE, *LINES.splitlines()):
        assert secret.encode() not in kept
        assert secret[:8].encode() not in kept.replace(b"-----", b"")
    assert b"some.library" not in dumped


def test_a_secret_is_in_no_process_arguments_or_environment(backend: Backend) -> None:
    @task
    def hold(secrets: Secrets, progress: Progress) -> None:
        while True:
            progress(None, secrets["API_TOKEN"][:0] + "it has it")

    with serving(backend.settings, catalog_of(hold)) as served:
        owner_id = make_owner(served)
        served.vault.put(owner_id, "API_TOKEN", VALUE)
        run = submit(served, served.catalog["hold"], owner_id, served.catalog["hold"].parameters())
        until(lambda: read(served, run).progress_note == "it has it", "the task at work")
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # a child that waited has ended, or is one no more
                assert VALUE not in " ".join(process.cmdline()) + str(process.environ())
        cancel(served, owner_id, run.id)
        assert ended(served, run).state is State.CANCELLED


def test_what_a_library_logs_is_covered_in_the_runs_log_and_in_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    def leak(secrets: Secrets) -> None:
        try:
            raise KeyError(secrets["API_TOKEN"])
        except KeyError:
            logging.getLogger("some.library").exception("about %s", secrets["API_TOKEN"])

    _outcome, heard = called(leak, secrets=SECRETS)
    assert heard.lines[0] == ("error", f"about {HIDDEN}")
    assert heard.lines[-1] == ("error", f"KeyError: '{HIDDEN}'")
    assert "".join(capfd.readouterr()) == ""


def test_a_missing_secret_fails_the_run_for_good_and_says_where_to_enter_it(run_task: RunTask) -> None:
    run = run_task(needs)
    assert (run.state, run.error) == (
        State.FAILED,
        "MissingSecret: Enter the secret API_TOKEN in your account, then run the task again.",
    )
    outcome = executed(catalog_of(needs), Order("needs"), Received())
    assert isinstance(outcome, Failure)
    assert outcome.final


def test_a_task_that_names_its_secrets_gets_no_others(run_task: RunTask) -> None:
    assert run_task(declared, secrets={**SECRETS, "OTHER": VALUE}).result == ["API_TOKEN"]


def test_a_task_that_asks_for_no_secrets_gets_none(backend: Backend) -> None:
    def plain() -> str:
        return VALUE

    assert called(plain, secrets=SECRETS)[0] == Success(HIDDEN), "what its order has is covered all the same"
    with serving(backend.settings, catalog_of(task(plain))) as served:
        run = start(served, "plain")
        served.vault.put(run.owner_id, "API_TOKEN", VALUE)
        assert ended(served, run).result == VALUE


def test_secrets_are_a_mapping_for_plain_calls() -> None:
    secrets = Secrets({"A": "one"})
    assert (secrets["A"], "B" in secrets, secrets.get("B", "none")) == ("one", False, "none")
    assert "one" not in f"{secrets} {secrets!r}"
    with pytest.raises(MissingSecret, match="Enter the secret B in"):
        secrets["B"]
    assert "correct" not in repr(Order("x", secrets=SECRETS))


@pytest.mark.parametrize("names", ["API_TOKEN", ["a b"], [1]])
def test_names_that_no_secret_can_have_are_refused_at_start(names: Any) -> None:
    def wrong(secrets: Secrets) -> None: ...

    with pytest.raises(TaskError, match="must be a list of names"):
        task(secrets=names)(wrong)


def test_a_task_that_names_secrets_and_asks_for_none_is_refused_at_start() -> None:
    def wrong() -> None: ...

    with pytest.raises(TaskError, match="secrets: Secrets"):
        task(secrets=["API_TOKEN"])(wrong)


def test_a_line_that_is_cut_shows_no_part_of_a_value() -> None:
    def say(secrets: Secrets) -> None:
        print("é" + secrets["TOKEN"] * 4000)

    _outcome, heard = called(say, secrets={"TOKEN": VALUE})
    (_source, line) = heard.lines[0]
    assert set(line.partition(" … ")[0]) == {"é", "•"}, line[-80:]
