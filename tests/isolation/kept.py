"""Tasks that keep their process, and what they leave behind in it."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs import task

LOADED: list[int] = []


def fail() -> None:
    raise RuntimeError("it failed")


CHANGES: dict[str, Callable[[], object]] = {
    "fail": fail,
    "thread": lambda: threading.Thread(target=threading.Event().wait, daemon=True).start(),
    "child": lambda: subprocess.Popen(["sleep", "600"]),
    "handler": lambda: signal.signal(signal.SIGUSR1, lambda *_: None),
    "alarm": lambda: signal.alarm(600),
    "umask": lambda: os.umask(0o077),
    "folder": lambda: os.chdir("/"),
    "environment": lambda: os.environ.update(LEFT="behind"),
    "exit": lambda: os._exit(3),
    "hang": lambda: threading.Event().wait(),
    "write": lambda: Path("left.txt").write_text("left over"),
}


@task(keep=True)
def remember(how: str = "") -> dict[str, Any]:
    """Count the runs that this process has had, and leave something behind or not."""
    LOADED.append(1)
    print("run", len(LOADED))
    found = {"pid": os.getpid(), "runs": len(LOADED), "folder": os.listdir(".")}
    if how:
        CHANGES[how]()
    return found


@task(keep=True)
def remember_too() -> int:
    """Return the id of this process."""
    return os.getpid()
