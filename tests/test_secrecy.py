"""Secrets in all that really runs, at the most talkative: no log of the server's and no file of its has one."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jobs.runs.backend import Backend
from jobs.runs.output import read_output
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run
from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.waiting import until

KEPT, ENTERED = "correct-horse-battery", "staple-of-the-other-kind"

TASK = """
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading

from pydantic import SecretStr

from jobs import Secrets, task

for name in ("sqlalchemy", "rq", "redis", "urllib3"):
    logging.getLogger(name).setLevel(logging.DEBUG)


def go_on(value: str) -> None:
    while not threading.Event().wait(0.001):
        for say in (print, sys.__stdout__.write, logging.error, lambda text: os.write(2, text.encode())):
            try:
                say(value)
            except OSError:
                pass


@task(retries=1, backoff=0, timeout=60)
def leak(end: str, token: SecretStr, secrets: Secrets) -> str:
    logging.getLogger().setLevel(logging.DEBUG)
    for value in (token.get_secret_value(), secrets["TOKEN"]):
        print("printed", value)
        logging.debug("debugged %s", value)
        logging.warning("logged %s", value)
        os.write(1, f"out {value}\\n".encode())
        os.write(2, f"err {value}\\n".encode())
        subprocess.run([sys.executable, "-c", "import sys; print('other', sys.argv[1])", value], check=True)
        subprocess.run(["/bin/sh", "-c", f"echo shell {value} >&2"], check=True)
        ctypes.CDLL(None).printf(b"C %s\\n", value.encode())
        sys.__stderr__.write(f"began {value}\\n")
    if end == "go on":
        threading.Thread(target=go_on, args=(secrets["TOKEN"],)).start()
    if end == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "raise":
        raise ValueError(token.get_secret_value() + secrets["TOKEN"])
    return token.get_secret_value() + secrets["TOKEN"]
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Stack]:
    tasks, data_dir = tmp_path / "tasks", tmp_path / "data"
    for folder in (tasks, data_dir):
        folder.mkdir()
    (tasks / "leak.py").write_text(TASK)
    with Stack(data_dir, TASKS=str(tasks)) as stack:
        yield stack


def test_no_log_and_no_file_of_a_whole_server_has_a_secret_whatever_a_task_does(running: Stack) -> None:
    ada, backend = Person(running.url, "ada@example.com"), running.backend()
    ada.post("/account/secrets", name="TOKEN", value=KEPT)
    ended: dict[str, Run] = {}
    for end in ("go on", "return", "raise", "die"):
        run_id = ada.submit("leak", end=end, token=ENTERED)
        ended[end] = until(partial(ended_runs, backend, run_id), "its end")[0]
    lines = [
        entry.content
        for batch in read_output(backend.database, ended["return"].id, OutputKind.LOG).batches
        for entry in batch.entries
    ]
    for word in ("printed", "logged", "out", "err", "other", "shell", "C", "began"):
        assert lines.count(f"{word} •••") == 2, lines
    assert (ended["return"].result, ended["raise"].error_message) == ("••••••", "••••••")
    backend.database.close()
    running.stop()
    assert "SELECT" in running.output, "what the database is asked is logged"
    assert "•••" not in running.output, "what a task says is its run's alone"
    written = b"".join(path.read_bytes() for path in running.data_dir.rglob("*") if path.is_file())
    for secret in (KEPT, ENTERED):
        assert secret.encode() not in written


def ended_runs(backend: Backend, run_id: int) -> list[Run]:
    """The run, once it has ended."""
    with backend.database.read() as session:
        run = session.get_one(Run, run_id)
    return [run] if run.state.ended else []
