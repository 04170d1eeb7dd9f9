"""What a task with secrets writes past Python: heard, covered, in the run's log alone, and without harm to anything."""

import contextlib
import ctypes
import functools
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import Emit, Secrets, task
from jobs.batch import Batch
from jobs.horse import Horse, HorseEnded
from jobs.local_store import LocalStore
from jobs.outcome import Failure, Outcome, Success
from jobs.perform import Order, perform
from jobs.secrets import HIDDEN
from tests.jobs.calling import Heard
from tests.jobs.serving import catalog_of
from tests.waiting import PATIENCE_SECONDS, until

VALUE = "correct-horse-battery"
CAN_FREE = sys.platform == "linux"

Capfd = pytest.CaptureFixture[str]


def called(function: Callable[..., Any], link: Heard | None = None, **secrets: str) -> tuple[Outcome, Heard]:
    """Call a function as a task whose user has a secret."""
    heard, given = link or Heard(), secrets or {"TOKEN": VALUE}
    name = task(function).__dict__["__task__"].name
    return perform(catalog_of(function), Order(name, secrets=given), heard), heard


def python(program: str, *arguments: str, **how: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", program, *arguments], **how)


def say_by_os() -> None:
    os.write(1, f"it is {VALUE}\n".encode())


def say_by_another_program() -> None:
    assert python("import sys; print('it is', sys.argv[1])", VALUE).wait() == 0


def say_by_a_shell() -> None:
    assert subprocess.run(["/bin/sh", "-c", f"echo it is {VALUE} > /dev/stdout"], check=False).returncode == 0


def say_by_c() -> None:
    ctypes.CDLL(None).printf(b"it is %s\n", VALUE.encode())


def say_by_what_python_began_with() -> None:
    assert sys.__stdout__
    sys.__stdout__.write(f"it is {VALUE}\n")


def say_by_a_forked_process() -> None:
    child = os.fork()
    if not child:
        try:
            print("it is", VALUE)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def say_by_a_stream_of_its_own() -> None:
    with open(os.dup(1), "w") as stream:
        print("it is", VALUE, file=stream)


SAY = (
    say_by_os,
    say_by_another_program,
    say_by_a_shell,
    say_by_c,
    say_by_what_python_began_with,
    say_by_a_forked_process,
    say_by_a_stream_of_its_own,
)


@pytest.mark.parametrize("say", SAY)
def test_whatever_way_it_goes_it_comes_to_the_runs_log_covered(say: Callable[[], None], capfd: Capfd) -> None:
    outcome, link = called(say)
    assert (outcome, link.lines) == (Success(None), [("out", f"it is {HIDDEN}")])
    assert "it is" not in "".join(capfd.readouterr())


def test_what_goes_to_the_standard_error_is_told_apart() -> None:
    def say() -> None:
        os.write(2, f"wrong: {VALUE}".encode())

    assert called(say)[1].lines == [("err", f"wrong: {HIDDEN}")]


def test_a_value_that_comes_in_parts_is_covered() -> None:
    link = Heard()

    def say() -> None:
        os.write(1, f"first\n{VALUE[:9]}".encode())
        until(lambda: link.lines, "the first line")
        os.write(1, f"{VALUE[9:]}\nlast".encode())

    called(say, link)
    assert link.lines == [("out", "first"), ("out", HIDDEN), ("out", "last")]


def test_a_library_that_holds_the_interpreter_can_write_more_than_anybody_reads() -> None:
    line = f"{VALUE}\n".encode() * 200_000

    def say() -> None:
        # PyDLL keeps the interpreter's lock: no Python thread of this process runs meanwhile.
        assert ctypes.PyDLL(None).write(1, line, len(line)) == len(line)
        os.write(1, b"the end\n")

    outcome, link = called(say)
    assert outcome == Success(None)
    assert "bytes came too fast and are left out" in link.lines[0][1]
    assert link.lines[-1] == ("out", "the end")
    assert {text for _source, text in link.lines[1:-1]} == {HIDDEN}


def test_what_was_read_takes_no_memory() -> None:
    link, blocks = Heard(), []

    def was_heard(line: str) -> bool:
        return ("out", line) in link.lines

    def say() -> None:
        for number in range(20):
            os.write(1, (b"x" * 99 + b"\n") * 5000 + f"round {number}\n".encode())
            until(functools.partial(was_heard, f"round {number}"), "the round")
        blocks.append(os.fstat(1).st_blocks * 512)

    assert called(say, link)[0] == Success(None)
    assert blocks[0] < (50_000 if CAN_FREE else 20_000_000)


def test_a_program_that_is_left_behind_holds_up_nobody_and_is_heard_no_more(capfd: Capfd) -> None:
    program = f"import sys; print('now', flush=True); sys.stdin.read(); print({VALUE!r}, flush=True)"
    left: list[subprocess.Popen[bytes]] = []
    link = Heard()

    def leave() -> None:
        left.append(python(program, stdin=subprocess.PIPE))
        until(lambda: link.lines, "the first line")

    def follow() -> None:
        assert left[0].stdin
        left[0].stdin.close()
        left[0].wait()
        os.write(1, b"mine\n")

    assert called(leave, link)[0] == Success(None)
    assert link.lines == [("out", "now")]
    outcome, next_link = called(follow, TOKEN="another secret")
    assert (outcome, next_link.lines) == (Success(None), [("out", "mine")])
    assert VALUE not in "".join(capfd.readouterr())


def end_well() -> None: ...


def raise_it() -> None:
    raise RuntimeError(VALUE)


def close_them() -> None:
    os.close(1)
    os.close(2)


def lead_them_elsewhere() -> None:
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)


@pytest.mark.parametrize("end", [end_well, raise_it, close_them, lead_them_elsewhere])
def test_the_descriptors_are_what_they_were_whatever_the_task_does(end: Callable[[], None], capfd: Capfd) -> None:
    before = descriptors(), threading.enumerate()
    _outcome, link = called(end)
    assert (descriptors(), threading.enumerate()) == before
    os.write(1, b"as before\n")
    assert capfd.readouterr().out == "as before\n"
    assert VALUE not in str(_outcome) + str(link.lines)


def descriptors() -> dict[str, tuple[int, int]]:
    """Those that are open, and what they lead to."""
    found = {}
    for name in os.listdir("/dev/fd"):
        try:
            status = os.fstat(int(name))
        except OSError:  # that of the list itself
            continue
        found[name] = (status.st_dev, status.st_ino)
    return found


def test_a_run_without_secrets_costs_nothing(capfd: Capfd) -> None:
    def look() -> list[Any]:
        os.write(1, b"to the server\n")
        return [descriptors() == before, threading.active_count() == threads]

    before, threads, link = descriptors(), threading.active_count(), Heard()
    assert perform(catalog_of(task(look)), Order("look"), link) == Success([True, True])
    assert link.lines == []
    assert capfd.readouterr().out == "to the server\n"


def test_who_logs_to_the_servers_log_goes_on_covered_and_once(capfd: Capfd) -> None:
    handler = logging.StreamHandler(sys.__stderr__)
    logger = logging.getLogger("with.a.handler.of.its.own")
    logger.addHandler(handler)

    def log() -> None:
        logger.warning("about %s", VALUE)

    try:
        _outcome, link = called(log)
        logger.warning("afterwards")
    finally:
        logger.removeHandler(handler)
    assert link.lines == [("warning", f"about {HIDDEN}")]
    assert capfd.readouterr().err == f"about {HIDDEN}\nafterwards\n"


def test_a_thread_of_an_earlier_run_is_not_heard(capfd: Capfd) -> None:
    go, gone = threading.Event(), threading.Event()

    def later() -> None:
        go.wait()
        print("of the run before")
        gone.set()

    def leave() -> None:
        threading.Thread(target=later, daemon=True).start()

    def listen() -> None:
        go.set()
        gone.wait()

    perform(catalog_of(task(leave)), Order("leave"), Heard())
    assert called(listen)[1].lines == []
    assert capfd.readouterr().out == "of the run before\n"


@task
def haunt(secrets: Secrets) -> None:
    def go_on() -> None:
        with contextlib.suppress(PermissionError):
            while not threading.Event().wait(0.001):
                os.write(1, secrets["TOKEN"].encode())

    threading.Thread(target=go_on).start()


def test_a_thread_that_is_left_behind_ends_with_its_process(tmp_path: Path, capfd: Capfd) -> None:
    horse = Horse(catalog_of(haunt), 10**9, LocalStore(tmp_path))
    horse.order(Order("haunt", secrets={"TOKEN": VALUE}))
    with pytest.raises(HorseEnded):
        until(lambda: isinstance(horse.listen(PATIENCE_SECONDS), Failure), "the end of its process")
    assert VALUE not in "".join(capfd.readouterr())


@task
def write_and_die(secrets: Secrets, emit: Emit, number: int) -> None:
    os.write(2, f"of run {number}: {secrets['TOKEN']}\n".encode())
    assert python("import sys; print(sys.argv[1])", VALUE).wait() == 0
    emit("written")
    signal.pause()


@pytest.fixture
def horse(tmp_path: Path) -> Iterator[Horse]:
    one = Horse(catalog_of(write_and_die), 10**9, LocalStore(tmp_path))
    yield one
    one.kill()


def test_nothing_of_a_process_that_is_killed_meanwhile_gets_out(horse: Horse, capfd: Capfd) -> None:
    horse.order(Order("write_and_die", {"number": 1}, secrets={"TOKEN": VALUE}))
    until(lambda: isinstance(horse.listen(PATIENCE_SECONDS), Batch), "what it emits")
    os.kill(horse.pid, signal.SIGKILL)
    with pytest.raises(HorseEnded):
        until(lambda: isinstance(horse.listen(PATIENCE_SECONDS), Failure), "its end")
    assert VALUE not in "".join(capfd.readouterr())
