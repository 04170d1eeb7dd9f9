"""Executions: what a child sends is bounded, without secrets, and never trusted."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.authoring.secrets import HIDDEN
from jobs.values.outcome import Failure, Stopped, Success
from jobs.worker.channel import HEADER, Channel
from jobs.worker.child_link import connected_ends
from jobs.worker.execute import Order
from jobs.worker.execution import (
    LONGEST_MESSAGE,
    LONGEST_NOTE,
    LONGEST_TRACEBACK,
    MOST_NOTES,
    ChildEvent,
    Emitted,
    Ended,
    Execution,
    Keep,
    Open,
    Save,
)
from jobs.worker.shared_state import ProgressReport, SharedState
from tests.support.calling import called
from tests.support.waiting import until

VALUE = "correct-horse-battery"


class Child:
    """A child played by a test, and the execution that receives its messages."""

    def __init__(self) -> None:
        ours, self.ends = connected_ends()
        self.execution = Execution(os.getpid(), ours)
        self.socket = socket.socket(fileno=self.ends.channel)
        self.channel = Channel(self.socket)
        self.state = SharedState(self.ends.state)

    def send(self, **message: Any) -> None:
        self.channel.send(message)

    def ended(self, **message: Any) -> Ended:
        self.send(**message)
        (ended,) = until(self.execution.receive, "the message")
        assert isinstance(ended, Ended)
        return ended

    def failed(self, **changes: Any) -> Failure:
        failure = {"kind": "ValueError", "message": "why", "traceback": None, "final": False, **changes}
        outcome = self.ended(failure=failure, fit=False).outcome
        assert isinstance(outcome, Failure)
        return outcome

    def close(self) -> None:
        self.execution.close()
        self.channel.close()
        self.state.close()
        for descriptor in (self.ends.out, self.ends.err, self.ends.state):
            os.close(descriptor)


@pytest.fixture
def child() -> Iterator[Child]:
    one = Child()
    yield one
    one.close()


@pytest.fixture
def trusted(child: Child) -> Child:
    """A child that has a secret."""
    child.execution.order(Order("x", secrets={"TOKEN": VALUE}))
    child.channel.receive_one()
    return child


def test_an_order_arrives_as_it_was_given(child: Child) -> None:
    child.execution.order(Order("brew", {"cups": 2}, {"done": 1}, (7, "ada@example.com"), "/tmp"))
    order = Order(*child.channel.receive_one().body["order"])
    assert (order.task, order.parameters, order.checkpoint) == ("brew", {"cups": 2}, {"done": 1})
    assert (list(order.owner), order.folder) == ([7, "ada@example.com"], "/tmp")


def test_a_message_is_cut_and_that_is_said(child: Child) -> None:
    assert child.failed(message="x" * LONGEST_MESSAGE).message == "x" * LONGEST_MESSAGE
    cut = child.failed(message="x" * (LONGEST_MESSAGE + 1)).message
    assert cut == "x" * LONGEST_MESSAGE + " … (cut after 10,000 characters)"
    assert child.failed(kind="K" * 5000).kind == "K" * 100


def test_of_a_long_traceback_the_last_whole_lines_are_kept(child: Child) -> None:
    lines = [f"line {number}" for number in range(10_000)]
    kept = str(child.failed(traceback="\n".join(lines)).traceback)
    assert len(kept) <= LONGEST_TRACEBACK
    assert kept.split("\n") == lines[-len(kept.split("\n")) :]
    assert child.failed(traceback="short\n").traceback == "short\n"


@pytest.mark.parametrize("before", range(LONGEST_MESSAGE - len(VALUE) - 1, LONGEST_MESSAGE + 2, 3))
def test_a_message_that_is_cut_ends_with_no_part_of_a_secret(trusted: Child, before: int) -> None:
    message = trusted.failed(message="x" * before + VALUE + "y" * 100).message
    assert set(message.partition(" … ")[0]) <= {"x", "y", *HIDDEN}


def test_everything_that_is_said_is_redacted(trusted: Child) -> None:
    trusted.send(emit={VALUE: [VALUE]})
    trusted.send(save=[VALUE])
    trusted.send(log=["info", VALUE])
    trusted.channel.send({"keep": [0, f"{VALUE}.txt", f"text/{VALUE}"]}, [os.dup(trusted.ends.state)])
    emitted, save, keep = trusted.execution.receive()
    assert (emitted, save) == (Emitted({HIDDEN: [HIDDEN]}), Save([HIDDEN]))
    assert isinstance(keep, Keep)
    os.close(keep.file)
    assert (keep.name, keep.media_type) == (f"{HIDDEN}.txt", f"text/{HIDDEN}")
    ended = trusted.ended(result={"a": VALUE}, notes=[f"rows[3].{VALUE}: left out."], fit=False)
    assert ended.outcome == Success({"a": HIDDEN}, (f"rows[3].{HIDDEN}: left out.",))
    failed = trusted.failed(kind=VALUE, message=VALUE, traceback=VALUE)
    assert (failed.kind, failed.message, failed.traceback) == (HIDDEN, HIDDEN, HIDDEN)
    trusted.state.write_progress(0.5, f"it is {VALUE}")
    assert trusted.execution.progress() == ProgressReport(0.5, f"it is {HIDDEN}")
    (logged,) = trusted.execution.drain()
    assert HIDDEN in str(logged)


def test_notes_are_bounded_and_end_with_no_part_of_a_secret(trusted: Child) -> None:
    notes = ["x" * (LONGEST_NOTE - 1) + VALUE, 3, "y" * 5000, *["note"] * 99]
    outcome = trusted.ended(result=1, notes=notes, fit=False).outcome
    assert isinstance(outcome, Success)
    assert outcome.notes[:2] == ("x" * (LONGEST_NOTE - 1) + HIDDEN[0] + "…", "y" * LONGEST_NOTE + "…")
    assert len(outcome.notes) == MOST_NOTES


def test_what_was_written_before_something_was_sent_is_heard_before_it(child: Child) -> None:
    os.write(child.ends.out, b"before\n")
    child.send(emit=1)
    os.write(child.ends.err, b"no end")
    line, emitted = child.execution.receive()
    assert (getattr(line, "content", None), emitted) == ("before", Emitted(1))
    assert [entry.content for entry in child.execution.unfinished()] == ["no end"]
    assert [getattr(one, "content", None) for one in child.execution.drain()] == ["no end"]


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 100, b"\x00\x00\x00\x03\x00{]!", b"\x00\x00\x00\x02\x01{}", b"\xff\xff\xff\xff\x00"]
)
def test_a_child_that_sends_garbage_has_failed_and_is_heard_no_more(child: Child, garbage: bytes) -> None:
    child.socket.send(garbage)
    (ended,) = child.execution.receive()
    assert isinstance(ended, Ended)
    assert isinstance(ended.outcome, Failure)
    assert (ended.outcome.kind, ended.is_fit) == ("ProcessKilled", False)
    assert "invalid message" in ended.outcome.message
    child.send(emit=1)
    assert child.execution.receive() == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "text",
        {"unknown": 1},
        {"emitted": 1},
        {"log": "no pair"},
        {"log": [1, 2]},
        {"keep": [0, "no file", "text/plain"]},
        {"keep": ["0", "a", "b"]},
        {"open": ["sha"]},
    ],
)
def test_a_message_of_another_form_is_left_out(child: Child, message: Any) -> None:
    child.channel.send(message)
    child.send(emit=1)
    assert child.execution.receive() == [Emitted(1)]


@pytest.mark.parametrize(
    "failure",
    [{"kind": 1, "message": 2, "traceback": 3, "final": 4}, {"kind": None, "message": [], "traceback": "", "final": 0}],
)
def test_an_outcome_of_another_form_is_one_all_the_same(child: Child, failure: dict[str, Any]) -> None:
    child.send(failure=failure, fit="yes")
    (ended,) = child.execution.receive()
    assert isinstance(ended, Ended)
    assert isinstance(ended.outcome, Failure)
    assert not ended.is_fit


@pytest.mark.parametrize("depth", [900, 100_000])
def test_a_value_that_is_nested_too_deeply_harms_no_worker(trusted: Child, depth: int) -> None:
    encoded = b'{"emit": ' + b"[" * depth + b"]" * depth + b"}"
    trusted.socket.send(HEADER.pack(len(encoded), 0) + encoded)
    (ended,) = until(trusted.execution.receive, "the message")
    assert isinstance(ended, Ended)
    assert isinstance(ended.outcome, Failure)


def test_a_stop_is_an_outcome(child: Child) -> None:
    assert child.ended(stopped=True, fit=True) == Ended(Stopped(), True)


def test_the_end_of_a_child_is_not_a_message(child: Child) -> None:
    child.socket.shutdown(socket.SHUT_RDWR)
    assert child.execution.receive() == []
    child.execution.answer(True)
    child.execution.order(Order("x"))


def test_an_outcome_that_takes_several_reads_is_heard_of_a_child_that_is_gone(child: Child) -> None:
    child.send(result="x" * 100_000, fit=True)
    child.socket.shutdown(socket.SHUT_WR)
    assert child.execution.drain() == [Ended(Success("x" * 100_000), True)]


def test_an_order_that_nobody_takes_holds_up_nobody(child: Child) -> None:
    child.execution.order(Order("x", {"text": "é" * 300_000}))
    heard: list[ChildEvent] = []
    received = []

    def has_arrived() -> bool:
        heard.extend(child.execution.receive())
        received.extend(child.channel.receive())
        return bool(received)

    child.socket.setblocking(False)
    until(has_arrived, "the order")
    assert Order(*received[0].body["order"]).parameters == {"text": "é" * 300_000}
    assert heard == []


def test_a_request_for_a_file_is_heard_and_answered(child: Child) -> None:
    child.send(open="a" * 64)
    assert child.execution.receive() == [Open("a" * 64)]
    child.execution.answer("away")
    assert child.channel.receive_one().body == {"answer": "away"}


def test_what_a_real_child_fails_with_has_the_same_bounds() -> None:
    def fail() -> None:
        raise ValueError("x" * 50_000)

    outcome, _heard = called(fail)
    assert isinstance(outcome, Failure)
    assert outcome.message == "x" * LONGEST_MESSAGE + " … (cut after 10,000 characters)"
