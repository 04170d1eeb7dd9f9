"""The template: it forks the children of workers, ends what they leave behind, and is replaced when it ends."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import psutil
import pytest

from jobs import Emit, task
from jobs.values.outcome import Success
from jobs.worker.execute import Order
from jobs.worker.execution import Emitted, Ended, Execution
from jobs.worker.template_client import TemplateClient
from jobs.worker.template_process import TemplateProcess
from tests.support.forked_template import forked
from tests.support.serving import catalog_of
from tests.support.waiting import until

FLEE = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
if os.fork(): os._exit(0)
print(os.getpid(), flush=True)
while True: signal.pause()
"""


@task
def who() -> int:
    """Return the id of this process."""
    return os.getpid()


@task
def leave_behind(emit: Emit) -> None:
    """Start a program in a session of its own, report its id, and wait."""
    program = subprocess.Popen([sys.executable, "-c", FLEE], stdout=subprocess.PIPE, text=True)
    assert program.stdout
    emit(int(program.stdout.readline()))
    threading.Event().wait()


@task
def die(number: int) -> None:
    """End the process by a signal."""
    os.kill(os.getpid(), number)


@task
def end_with_a_child_holding_on() -> None:
    """End the process while another one has its descriptors open."""
    subprocess.Popen(["sleep", "600"], close_fds=False)
    os._exit(7)


TASKS = catalog_of(who, leave_behind, die, end_with_a_child_holding_on)


class Harness:
    """A template, and the client that one worker has."""

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.template = TemplateProcess(start=self._start)
        until(self.template.look, "the template")
        self.client = TemplateClient(self.template.ask_for_copy)

    def _start(self, *given: Any) -> Any:
        process = forked(TASKS)(*given)
        self.pids.append(process.pid)
        return process

    def take(self, keeper: str = "") -> Execution:
        def there() -> Execution | None:
            self.template.look()
            return self.client.take(keeper)

        child = until(there, "a child")
        assert child
        return child

    def beneath(self) -> list[psutil.Process]:
        return psutil.Process(self.pids[-1]).children(recursive=True)

    def close(self) -> None:
        self.client.close_and_wait()
        self.template.close()
        for pid in self.pids:
            until(partial(is_gone, pid), "the end of the template")


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def harness() -> Iterator[Harness]:
    one = Harness()
    yield one
    one.close()


def order(child: Execution, name: str, **parameters: Any) -> None:
    child.order(Order(name, parameters, folder="/tmp"))


def heard(child: Execution, kind: type[Any]) -> Any:
    def there() -> list[Any]:
        return [one for one in child.receive() if isinstance(one, kind)]

    return until(there, f"an event of the kind {kind.__name__}")[0]


def execute(harness: Harness, child: Execution) -> int:
    """Execute a run in a child, wait for its end, and return its process id."""
    order(child, "who")
    assert heard(child, Ended).outcome == Success(child.pid)
    harness.client.give_back(child)
    return child.pid


def code_of(harness: Harness, child: Execution) -> int:
    return until(lambda: [code] if (code := harness.client.exit_code(child)) is not None else [], "its end")[0]


def test_every_run_has_a_child_of_its_own(harness: Harness) -> None:
    pids = set()
    for _ in range(3):
        pids.add(execute(harness, harness.take()))
    assert len(pids) == 3
    harness.client.await_ends()
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_child_that_dies_is_reported_with_its_signal_and_the_next_one_works(harness: Harness, number: int) -> None:
    child = harness.take()
    order(child, "die", number=number)
    assert code_of(harness, child) == -number
    assert not harness.client.is_lost(child)
    harness.client.give_back(child)
    execute(harness, harness.take())


def test_an_end_is_noticed_although_another_process_keeps_its_descriptors_open(harness: Harness) -> None:
    child = harness.take()
    order(child, "end_with_a_child_holding_on")
    assert code_of(harness, child) == 7
    harness.client.give_back(child)


@pytest.mark.parametrize("how", ["kill", "give back"])
def test_what_has_fled_into_another_session_ends_with_its_run(harness: Harness, how: str) -> None:
    child = harness.take()
    order(child, "leave_behind")
    fled = heard(child, Emitted).value
    assert not is_gone(fled)
    if how == "kill":
        harness.client.kill(child)
        assert code_of(harness, child) == -signal.SIGKILL
    harness.client.give_back(child)
    harness.client.await_ends()
    until(lambda: is_gone(fled) and is_gone(child.pid), "the end of both")


def test_the_next_child_is_replaced_when_it_dies_before_it_is_needed(harness: Harness) -> None:
    harness.client.prepare()
    first = harness.take()
    harness.client.prepare()
    (spare,) = until(lambda: [one for one in grandchildren(harness) if one.pid != first.pid], "the next child")
    spare.kill()
    until(lambda: is_gone(spare.pid), "its end")
    until(lambda: not spare.is_running() or spare.status() == psutil.STATUS_ZOMBIE, "its end")
    harness.client.receive()
    execute(harness, first)
    assert execute(harness, harness.take()) != spare.pid


def grandchildren(harness: Harness) -> list[psutil.Process]:
    return [one for one in harness.beneath() if one.ppid() != harness.pids[-1]]


def test_a_worker_whose_copy_of_the_template_ends_gets_another_one(harness: Harness) -> None:
    child = harness.take()
    (copy,) = psutil.Process(harness.pids[-1]).children()
    copy.kill()
    until(lambda: harness.client.exit_code(child) is None and harness.client.is_lost(child), "the loss being noticed")
    assert harness.client.exit_code(child) is None
    until(lambda: is_gone(child.pid), "the end of the child that nobody watches")
    harness.client.give_back(child)
    execute(harness, harness.take())


def test_a_template_that_ends_is_replaced_and_the_next_run_works(harness: Harness) -> None:
    child = harness.take()
    os.kill(harness.pids[-1], signal.SIGKILL)
    until(lambda: harness.template.look() and len(harness.pids) == 2, "the next template")
    if not harness.client.is_lost(child):
        order(child, "who")
        assert heard(child, Ended).outcome == Success(child.pid)
    harness.client.give_back(child)
    harness.client.close()
    execute(harness, harness.take())


def test_nothing_is_left_when_a_worker_closes_its_line(harness: Harness) -> None:
    child = harness.take()
    order(child, "leave_behind")
    fled = heard(child, Emitted).value
    beneath = [fled, *(one.pid for one in harness.beneath())]
    harness.client.close()
    child.close()
    until(lambda: all(map(is_gone, beneath)), "the end of all that was beneath the template")


def test_a_child_is_there_when_it_is_waited_for(harness: Harness) -> None:
    assert harness.client.take() is None
    poll = select.poll()
    harness.client.register(poll)
    assert poll.poll(60_000), "it is told of"
    harness.client.give_back(harness.take())
