"""Measure the memory of the application, started as by `make run`, with two and with three workers.

Memory is the proportional set size: a page shared by several processes is divided among them, so that the sum over all
processes is the memory that the machine needs. The cost of a further worker is the difference of the two sums. Then
every task is run once with its example, one after the other, while the sum is sampled. Linux only. The benchmark takes
about half a minute.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from bs4 import Tag

from tests.support.html_form import sent_by
from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.waiting import until

MEGABYTE = 1_000_000
KINDS = (
    *("launcher", "Redis", "web server's first process", "web process", "supervisor", "worker"),
    *("template", "copy of the template", "child"),
)
SETTLED_SECONDS = 3.0
LOOK_SECONDS = 0.05

Memory = list[tuple[str, float]]
"""The kind and the memory in MB of each process."""


def memory_of(stack: Stack) -> Memory:
    """Return the memory of each process of the running application."""
    launcher = psutil.Process(stack.process.pid)
    found = []
    for process in [launcher, *launcher.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            found.append((_kind(process, launcher), _proportional(process.pid)))
    return found


def total(memory: Memory) -> float:
    return sum(megabytes for _kind, megabytes in memory)


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / MEGABYTE


def _kind(process: psutil.Process, launcher: psutil.Process) -> str:
    if process == launcher:
        return "launcher"
    if "valkey" in process.name() or "redis" in process.name():
        return "Redis"
    above = [parent for parent in process.parents() if parent.pid != launcher.pid]
    if "jobs.worker.template" in process.cmdline():
        return KINDS[6 + min(2, sum("jobs.worker.template" in parent.cmdline() for parent in above))]
    is_first = process.ppid() == launcher.pid
    if "gunicorn" in process.cmdline():
        return "web server's first process" if is_first else "web process"
    return "supervisor" if is_first else "worker"


@contextmanager
def running(workers: int) -> Iterator[Stack]:
    """Run the application in a temporary folder, and yield once all its processes have started and are idle."""
    shipped = {"TASKS": "", "WORKERS": str(workers), "LOG_LEVEL": "INFO"}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), **shipped) as stack:
        until(lambda: [kind for kind, _ in memory_of(stack)].count("child") == workers, "the children")
        threading.Event().wait(SETTLED_SECONDS)
        yield stack


class Sampler:
    """A sampler of the peak memory while a block runs."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.peak = 0.0

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.peak = max(self.peak, total(memory_of(self._stack)))


def run_examples(stack: Stack) -> dict[str, str]:
    """Run each task with its example, one after the other, and return how each run ended."""
    ada = Person(stack.url, "ada@example.com")
    links = [str(link["href"]) for link in ada.get("/").select("a[href^='/tasks/']")]
    return {name: _run_example(ada, name) for name in dict.fromkeys(link.rpartition("/")[2] for link in links)}


def _run_example(person: Person, name: str) -> str:
    form = person.example(name).select_one("#task-form")
    assert form, f"{name} has no form"
    run = person.submit_all(name, sent_by(form))
    until(lambda: _state(person, run) in ("succeeded", "failed", "cancelled"), f"the end of {name}")
    return _state(person, run)


def _state(person: Person, run: int) -> str:
    shown = person.get(f"/runs/{run}").select_one(f"#run-{run}")
    assert isinstance(shown, Tag)
    return str(shown["data-state"])


def main() -> None:
    with running(3) as stack:
        three = memory_of(stack)
    with running(2) as stack:
        two = memory_of(stack)
        with Sampler(stack) as sampler:
            ended = run_examples(stack)
        after = total(memory_of(stack))
    print(f"{'MB':<36}{'two workers':>14}{'three workers':>16}")
    for kind in KINDS:
        columns = [[megabytes for one, megabytes in memory if one == kind] for memory in (two, three)]
        two_of, three_of = (f"{len(each)} × {sum(each) / len(each):.1f}" if each else "none" for each in columns)
        print(f"{kind:<36}{two_of:>14}{three_of:>16}")
    print(f"{'all':<36}{total(two):>14.1f}{total(three):>16.1f}")
    print(f"{'per additional worker':<36}{total(three) - total(two):>14.1f}")
    print(f"{'peak while running every task':<36}{sampler.peak:>14.1f}")
    print(f"{'after running every task':<36}{after:>14.1f}")
    print(f"{sum(state == 'succeeded' for state in ended.values())} of {len(ended)} tasks succeeded")


if __name__ == "__main__":
    main()
