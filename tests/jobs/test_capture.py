"""Capture: what a task prints, logs and emits is heard, whole, by line, and without harm to the task."""

import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from jobs import Emit, Log, StopRun
from jobs.outcome import Failure, Stopped, Success
from jobs.spool import LONGEST_LINE
from jobs.storable import ResultError
from tests.jobs.calling import Heard, called

logger = logging.getLogger("somebody.elses.library")


def lines(function: Callable[..., Any]) -> list[tuple[str, str]]:
    """What the function puts out, when nothing keeps it from succeeding."""
    outcome, link = called(function)
    assert isinstance(outcome, Success), outcome
    return link.lines


def test_what_is_printed_is_heard_by_line_with_its_source_and_time() -> None:
    def say() -> None:
        print("one\ntwo")
        print("part", end="")
        print("ial")
        sys.stderr.write("error\n")
        print()
        print("no end", end="")

    before = time.time()
    outcome, link = called(say)
    assert outcome == Success(None)
    expected = [("out", "one"), ("out", "two"), ("out", "partial"), ("err", "error"), ("out", ""), ("out", "no end")]
    assert link.lines == expected
    assert all(before - 1 <= entry.at <= time.time() + 1 for batch in link.batches for entry in batch.entries)


def test_what_is_logged_from_info_on_is_heard_by_line_whatever_the_process_logs() -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), [handler.level for handler in root.handlers]

    def say(log: Log) -> None:
        logger.debug("not heard")
        logger.info("info %d", 1)
        logger.warning("two\nlines")
        logging.error("error")
        logger.critical("critical")
        log("mine")
        log.warning("careful")
        log.error("wrong")
        try:
            raise ValueError("why")
        except ValueError:
            logger.exception("it failed")

    heard = lines(say)
    assert heard[:8] == [
        ("info", "info 1"),
        ("warning", "two"),
        ("warning", "lines"),
        ("error", "error"),
        ("critical", "critical"),
        ("info", "mine"),
        ("warning", "careful"),
        ("error", "wrong"),
    ]
    assert heard[8] == ("error", "it failed")
    assert heard[-1] == ("error", "ValueError: why")
    assert (root.level, list(root.handlers), [handler.level for handler in root.handlers]) == before


def test_threads_of_the_task_are_heard_and_their_lines_stay_whole() -> None:
    def count() -> None:
        for _ in range(200):
            print("a", "b", "c", "d")

    def say() -> None:
        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert lines(say) == [("out", "a b c d")] * 1600


def test_a_thread_that_an_earlier_run_left_behind_is_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    go, gone = threading.Event(), threading.Event()

    def later() -> None:
        go.wait()
        print("a secret of the run before")
        logger.warning("another one")
        gone.set()

    def leave() -> None:
        threading.Thread(target=later, daemon=True).start()

    def listen() -> None:
        go.set()
        gone.wait()
        print("mine")

    assert lines(leave) == []
    assert lines(listen) == [("out", "mine")]
    assert "a secret of the run before" in capsys.readouterr().out


def test_a_stream_that_was_kept_follows_the_run_at_hand(capsys: pytest.CaptureFixture[str]) -> None:
    kept: list[Any] = []

    def keep() -> None:
        kept.append(sys.stdout)

    def use() -> None:
        print("through it", file=kept[0])

    assert lines(keep) == []
    print("between", file=kept[0])
    assert lines(use) == [("out", "through it")]
    assert capsys.readouterr().out == "between\n"


def test_stdout_is_what_it_was_whatever_the_task_does_to_it() -> None:
    before = sys.stdout, sys.stderr

    def close() -> None:
        sys.stdout.close()
        sys.stderr = io.StringIO()

    assert lines(close) == []
    assert (sys.stdout, sys.stderr) == before
    assert lines(say_that_it_works) == [("out", "still here")]


def say_that_it_works() -> None:
    print("still here")


def test_what_asks_for_a_real_stream_is_not_broken(capfd: pytest.CaptureFixture[str]) -> None:
    def ask() -> None:
        sys.stdout.buffer.write("büffer\n".encode())
        sys.stdout.flush()
        assert not sys.stdout.isatty()
        assert sys.stdout.encoding == "utf-8"
        assert isinstance(sys.stdout, io.TextIOWrapper)
        sys.stdout.reconfigure(line_buffering=False)
        subprocess.run([sys.executable, "-c", "pass"], stdout=sys.stdout, check=True)

    with capfd.disabled():  # pytest's own stream has no file to give
        assert lines(ask) == [("out", "büffer")]


def test_a_forked_process_is_not_heard_and_harms_nothing() -> None:
    def fork(emit: Emit) -> None:
        print("parent")
        child = os.fork()
        if not child:
            try:
                print("child")
                logger.warning("child")
                emit("child")
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    outcome, link = called(fork)
    assert outcome == Success(None)
    assert (link.lines, link.values) == ([("out", "parent")], [])


@pytest.mark.parametrize(
    ("printed", "heard"),
    [
        ("\ud800 lone", ["\\ud800 lone"]),
        ("a\x00b", ["a\\x00b"]),
        ("\x1b[31mred\x1b[0m \x1b[1;32mgreen", ["red green"]),
        ("bell\a\x1b]", ["bell\\x07\\x1b]"]),
        ("tab\there", ["tab\there"]),
        ("dos\r\nlines", ["dos", "lines"]),
        ("10 %\r20 %\r30 %", ["30 %"]),
        ("10 %\r20 %\r", ["20 %"]),
        ("\x85\u2028", ["\\x85\u2028"]),
        ("\U0001f600 ж", ["\U0001f600 ж"]),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(printed: str, heard: list[str]) -> None:
    def say() -> None:
        print(printed)

    assert [line for _, line in lines(say)] == heard


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("character", ["x", "\U0001f600"])
def test_a_line_without_end_is_cut_and_that_is_said(character: str, end: str) -> None:
    def say() -> None:
        for _ in range(200):
            print(character * 1000, end="")
        print(end=end)
        print("next")

    (_, first), *rest = lines(say)
    assert first.startswith(character * LONGEST_LINE + " … (cut after 10,000 characters)")
    assert len(first) < LONGEST_LINE + 50
    assert rest == ([("out", "next")] if end else [])


def test_what_was_printed_before_a_failure_is_kept() -> None:
    def fail() -> None:
        print("before", end="")
        raise RuntimeError("why")

    outcome, link = called(fail)
    assert isinstance(outcome, Failure)
    assert link.lines == [("out", "before")]


def test_partial_results_are_kept_as_json_and_one_that_cannot_be_is_named() -> None:
    def work(emit: Emit) -> str:
        emit({"step": 1, "point": (1, 2)})
        emit(None)
        try:
            emit(object())
        except ResultError as error:
            return str(error)
        return "kept"

    outcome, link = called(work)
    assert isinstance(outcome, Success)
    assert outcome.result.startswith("The partial result cannot be kept as JSON")
    assert link.values == [{"step": 1, "point": [1, 2]}, None]


def test_a_generator_emits_what_it_yields_and_its_result_is_what_it_returns() -> None:
    def work() -> Generator[int, None, str]:
        yield 1
        yield 2
        return "done"  # that is what is tested

    outcome, link = called(work)
    assert (outcome, link.values) == (Success("done"), [1, 2])


def test_a_generator_tidies_up_when_it_is_stopped() -> None:
    link, tidied = Heard(stop=True), []

    def work() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            tidied.append(True)

    outcome, _ = called(work, link)
    assert (outcome, link.values, tidied) == (Stopped(), [], [True])


def test_called_as_a_plain_function_nothing_is_needed() -> None:
    log, emit = Log(), Emit()
    log("x")
    log.warning("x")
    emit(1)
    with pytest.raises(StopRun):
        Emit(stop_requested=lambda: True)(1)
