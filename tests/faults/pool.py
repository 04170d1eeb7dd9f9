"""A pool with the tasks of these tests, as a process of its own.

It is `python -m jobs` but for three things: the catalog; constants that a test wants smaller, from CONSTANTS; and a
clock that a test may put forward or back, by the seconds written in the file that CLOCK names.

It is forked from a server that has imported all of it and done nothing else: starting Python anew for each pool took
more of the processor than what most tests do with it.
"""

import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import config
from jobs.runs.backend import open_backend
from jobs.worker.process import die_with_parent
from jobs.worker.supervisor import Supervisor
from tests.faults.tasks import TASKS
from tests.support.forked_template import close_all_but, forked


def run(environment: dict[str, str], output: Path) -> None:
    """Run a pool in this process, which has just been forked, until it is stopped."""
    os.setsid()
    die_with_parent(os.getppid(), signal.SIGKILL)
    for descriptor, flags in enumerate((os.O_RDONLY, os.O_APPEND | os.O_WRONLY | os.O_CREAT)):
        file = os.open(output if descriptor else os.devnull, flags, 0o600)
        os.dup2(file, descriptor)
    os.dup2(1, 2)
    close_all_but(set())  # among them is what keeps the server that forked it, which ends with the tests
    os.environ.clear()
    os.environ.update(environment)
    settings = config.load()
    logging.basicConfig(level="INFO", format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    for name, value in json.loads(os.environ.get("CONSTANTS", "{}")).items():
        module, _, constant = name.rpartition(".")
        _replace(constant, getattr(importlib.import_module(module), constant), value)
    if clock := os.environ.get("CLOCK"):
        _move_clocks(Path(clock))
    Supervisor(open_backend(settings, TASKS), settings.workers, forked(TASKS)).run()


def _move_clocks(file: Path) -> None:
    def moved(clock: Callable[[], datetime]) -> Callable[[], datetime]:
        return lambda: clock() + timedelta(seconds=float(file.read_text() or 0))

    for module, name in (("jobs.storage.database", "utcnow"), ("rq.utils", "now")):
        clock = getattr(importlib.import_module(module), name)
        _replace(name, clock, moved(clock))


def _replace(name: str, old: object, new: object) -> None:
    """Replace a value in every module that has imported it under this name."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("jobs", "rq")) and vars(module).get(name) is old:
            setattr(module, name, new)
