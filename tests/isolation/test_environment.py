"""Task code sees what Python, libraries and programs need of the environment, and no key of the application."""

import os
from pathlib import Path

import psutil
import pytest

from jobs.worker.template_process import task_environment
from tests.support.stack import Stack
from tests.support.waiting import until

HIDDEN = {
    "SECRET_KEY": "a" * 40,
    "SECRET_KEY_PREVIOUS": "b" * 40,
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "HEROKU_POSTGRESQL_RED_URL": "postgresql://user:password@host/db",
    "PGPASSWORD": "password",
    "SENTRY_DSN": "https://key@example.com/1",
    "STRIPE_API_KEY": "key",
}
SEEN = {"TZ": "Europe/Berlin", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "MODEL_FOLDER": "/models"}


def with_tasks(stack: Stack) -> list[psutil.Process]:
    every = psutil.Process(stack.process.pid).children(recursive=True)
    return [process for process in every if "jobs.worker.template" in process.cmdline()]


def test_processes_that_have_tasks_never_had_a_key(tmp_path: Path) -> None:
    with Stack(tmp_path, **HIDDEN, **SEEN, TASK_ENVIRONMENT="MODEL_*, OTHER") as stack:
        until(lambda: len(with_tasks(stack)) >= 1 + 2 + 2, "the template, its copy for each worker, a child for each")
        for process in with_tasks(stack):
            environment = process.environ()
            ours = {"DATABASE_URL", "REDIS_URL", "DATA_DIR", "PORT", "TASKS", "TASK_ENVIRONMENT"}
            assert not {*HIDDEN, *ours} & set(environment)
            assert {name: environment[name] for name in SEEN} == SEEN
            assert environment["PATH"] == os.environ["PATH"]
            memory = Path(f"/proc/{process.pid}/environ").read_bytes()
            assert not any(value.encode() in memory for value in HIDDEN.values())


@pytest.mark.parametrize(
    ("named", "seen"),
    [("", []), ("HF_HOME", ["HF_HOME"]), ("HF_*", ["HF_HOME", "HF_TOKEN"]), (" HF_HOME , .* ", ["HF_HOME"])],
)
def test_others_are_seen_when_they_are_named(named: str, seen: list[str]) -> None:
    environment = {"HF_HOME": "/hf", "HF_TOKEN": "token", "XHF_HOME": "/x", "DATABASE_URL": "sqlite:///a.db"}
    assert sorted(task_environment(environment, named)) == seen
