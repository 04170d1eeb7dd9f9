"""The work-horse: one process for many runs, which may do to itself what it likes."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs import Emit, Tile, task
from jobs.batch import Batch
from jobs.horse import Horse, HorseEnded
from jobs.local_store import LocalStore
from jobs.outcome import Failure, Outcome, Success
from jobs.perform import Order
from jobs.store import RunFile
from tests.jobs.serving import catalog_of
from tests.waiting import PATIENCE_SECONDS, until

MOST_BYTES = 10**9

imported: list[str] = []


@task
def remember(word: str) -> list[str]:
    imported.append(word)
    return imported


@task
def who() -> int:
    return os.getpid()


@task
def end(how: str) -> None:
    if how == "exit":
        os._exit(7)
    os.kill(os.getpid(), signal.SIGKILL)


@task
def end_with_a_child_holding_on() -> None:
    subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    os._exit(7)


@task
def hold_the_interpreter() -> None:
    # PyDLL keeps the interpreter's lock while C sleeps: no Python thread of this process runs.
    ctypes.PyDLL(None).sleep(600)


@task
def ignore_everything() -> None:
    while True:
        try:
            signal.pause()
        except BaseException:
            continue


@task
def draw(emit: Emit) -> Image.Image:
    emit(Tile(Image.new("RGB", (2, 2)), 0, 0, 4, 4))
    return Image.new("RGB", (4, 4))


TASKS = (draw, remember, who, end, end_with_a_child_holding_on, hold_the_interpreter, ignore_everything)


@pytest.fixture
def horse(tmp_path: Path) -> Iterator[Horse]:
    one = Horse(catalog_of(*TASKS), MOST_BYTES, LocalStore(tmp_path))
    yield one
    one.kill()


def outcome(horse: Horse, name: str, **parameters: Any) -> Outcome:
    horse.order(Order(name, parameters))

    def heard() -> list[Outcome]:
        message = horse.listen(PATIENCE_SECONDS)
        return [message] if isinstance(message, Success | Failure) else []

    return until(heard, "the outcome")[0]


def test_what_one_run_loads_the_next_one_finds(horse: Horse) -> None:
    assert outcome(horse, "remember", word="model") == Success(["model"])
    assert outcome(horse, "remember", word="again") == Success(["model", "again"])
    assert imported == [], "in a process of its own"


def test_of_each_file_the_worker_hears_before_what_refers_to_it(horse: Horse, tmp_path: Path) -> None:
    horse.order(Order("draw"))
    heard: list[Any] = []
    while not heard or not isinstance(heard[-1], Success):
        heard.append(horse.listen(PATIENCE_SECONDS))
        assert not isinstance(heard[-1], Failure)
    first, *between, result = [message for message in heard if message]
    (batch,) = [message for message in between if isinstance(message, Batch)]
    (second,) = [message for message in between if isinstance(message, RunFile)]
    assert (first.name, first.media_type) == ("draw.png", "image/png")
    assert batch.entries[0].content["$picture"]["sha256"] == first.sha256
    assert result.result["$picture"]["sha256"] == second.sha256
    with LocalStore(tmp_path).open(second.sha256) as file, Image.open(file) as kept:
        assert kept.size == (4, 4)


def test_a_failure_leaves_the_horse_fit(horse: Horse) -> None:
    pid = outcome(horse, "who")
    failed = outcome(horse, "remember", word=3)
    assert isinstance(failed, Failure)
    assert failed.kind == "InvalidParameters"
    assert outcome(horse, "who") == pid
    assert horse.fit


@pytest.mark.parametrize(("how", "said"), [("exit", "exit code 7"), ("kill", "signal 9")])
def test_an_abrupt_end_is_noticed_and_named(horse: Horse, how: str, said: str) -> None:
    with pytest.raises(HorseEnded, match=said):
        outcome(horse, "end", how=how)
    assert not horse.fit


def test_an_end_is_noticed_although_a_child_keeps_the_pipe_open(horse: Horse) -> None:
    with pytest.raises(HorseEnded, match="exit code 7"):
        outcome(horse, "end_with_a_child_holding_on")


def test_a_process_that_holds_the_interpreter_is_killed(horse: Horse) -> None:
    horse.order(Order("hold_the_interpreter"))
    assert horse.listen(0.2) is None
    horse.kill()
    assert not horse.fit


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_meant_for_all_do_not_end_it(horse: Horse, number: signal.Signals) -> None:
    pid = outcome(horse, "who")
    assert isinstance(pid, Success)
    os.kill(pid.result, number)
    assert outcome(horse, "who") == pid


def test_a_task_that_swallows_everything_is_killed(horse: Horse) -> None:
    horse.order(Order("ignore_everything"))
    assert horse.listen(0.2) is None
    horse.kill()
    assert not horse.fit
