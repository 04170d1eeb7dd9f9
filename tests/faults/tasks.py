"""Tasks that count their own executions, and tasks that misbehave."""

import ctypes
import os
import signal
import threading
from pathlib import Path
from typing import Any

from jobs import Checkpoint, Progress, task
from jobs.authoring.catalog import Catalog


def note(ledger: str, number: int, event: str) -> None:
    """Append a line to the ledger: one write of a few bytes, which no other process can come between."""
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{number} {event} {os.getpid()}\n".encode())
    finally:
        os.close(file)


@task
def count(ledger: str, number: int, seconds: float = 0.0) -> int:
    """Note its start and its end, and take some time between."""
    note(ledger, number, "start")
    threading.Event().wait(seconds)
    note(ledger, number, "end")
    return number


@task
def step(ledger: str, number: int, steps: int, seconds: float, checkpoint: Checkpoint, progress: Progress) -> list[int]:
    """Take this number of steps, each once, even if the process is killed and the run restarted."""
    note(ledger, number, "start")
    done: list[int] = checkpoint.load([])
    for each in range(len(done), steps):
        progress(each / steps, f"step {each}")
        threading.Event().wait(seconds)
        note(ledger, number, f"step-{each}")
        checkpoint.save(done := [*done, each])
    note(ledger, number, "end")
    return done


@task
def wait_for(ledger: str, number: int, file: str) -> int:
    """Run until a file appears: as long as the test wants."""
    note(ledger, number, "start")
    while not Path(file).exists():
        threading.Event().wait(0.02)
    note(ledger, number, "end")
    return number


@task
def report_until(ledger: str, number: int, file: str, progress: Progress) -> int:
    """Report progress until a file appears."""
    note(ledger, number, "start")
    while not Path(file).exists():
        progress(0.5, "waiting")
        threading.Event().wait(0.02)
    note(ledger, number, "end")
    return number


@task
def report(ledger: str, number: int, seconds: float, progress: Progress) -> int:
    """Report progress ten times while running slowly."""
    note(ledger, number, "start")
    for each in range(10):
        progress(each / 10)
        threading.Event().wait(seconds / 10)
    note(ledger, number, "end")
    return number


@task
def hold(ledger: str, number: int, seconds: int) -> int:
    """Hold the GIL, so that no other thread of this process runs."""
    note(ledger, number, "start")
    ctypes.PyDLL(None).sleep(seconds)
    note(ledger, number, "end")
    return number


@task(timeout=2)
def swallow(ledger: str, number: int) -> None:
    """Catch every exception, forever."""
    note(ledger, number, "start")
    while True:
        try:
            threading.Event().wait(1)
        except BaseException:
            continue


@task(memory=100)
def gobble(ledger: str, number: int) -> int:
    """Take memory without end."""
    note(ledger, number, "start")
    taken = []
    while True:
        taken.append(bytearray(10_000_000))


@task
def breed(ledger: str, number: int, count: int) -> list[int]:
    """Leave children behind that would live for ever."""
    note(ledger, number, "start")
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            threading.Event().wait()
        children.append(child)
    note(ledger, number, "end")
    return children


@task
def leave(ledger: str, number: int, code: int) -> None:
    """End the process with an exit code."""
    note(ledger, number, "start")
    os._exit(code)


@task
def give(ledger: str, number: int, what: str) -> Any:
    """Return what cannot be kept."""
    note(ledger, number, "start")
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    things: dict[str, Any] = {
        "object": object(),
        "50 MB": "x" * 50_000_000,
        "surrogate": "\ud800",
        "key": {"a surrogate \udfff": 1},
        "deep": deep,
    }
    return things[what]


@task(retries=1, backoff=3)
def fail_once(ledger: str, number: int) -> None:
    """Fail at the first attempt."""
    note(ledger, number, "start")
    if f"{number} fails" not in Path(ledger).read_text():
        note(ledger, number, "fails")
        raise RuntimeError("the first attempt fails")
    note(ledger, number, "end")


@task
def strike(ledger: str, number: int, pid: int) -> int:
    """Kill another process as its last act."""
    note(ledger, number, "start")
    os.kill(pid, signal.SIGKILL)
    return number


def leave_a_trace(*_arguments: Any) -> None:
    """No task: what must never be called writes here that it was."""
    Path(os.environ["TRACE"]).touch()


ALL = (count, step, wait_for, report_until, report, hold, swallow, gobble, breed, leave, give, fail_once, strike)
TASKS = Catalog({function.__name__: function.__dict__["__task__"] for function in ALL})
