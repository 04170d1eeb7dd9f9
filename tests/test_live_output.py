"""Live output: lines and partial results come up over the socket, once each, to their owner alone."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from bs4 import BeautifulSoup

from jobs.runs import events, output
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id, read
from tests.support.person import Person, receive_until, receives_nothing
from tests.support.stack import Stack
from tests.support.visitor import the
from tests.support.waiting import PATIENCE_SECONDS
from tests.webapp.runs.test_output import CORPUS


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    opened = stack.backend()
    yield opened
    opened.database.close()


@pytest.fixture
def email() -> str:
    return f"ada{time.time_ns()}@example.com"


@pytest.fixture
def ada(stack: Stack, email: str) -> Person:
    return Person(stack.url, email)


@pytest.fixture
def run(backend: Backend, ada: Person, email: str) -> Run:
    return make_held(backend, owner_id(backend, email))


def make_held(backend: Backend, owner: int) -> Run:
    """Create a running run of a worker that does not exist; the sweeper requeues it only after a lease."""
    now = utcnow()
    held: dict[str, Any] = {"worker": "elsewhere", "lease_token": "0" * 32, "lease_expires_at": now, "started_at": now}
    return make_run(backend, owner, state=State.RUNNING, **held)


def put_out(backend: Backend, run: Run, *contents: Any, kind: OutputKind = OutputKind.LOG, source: str = "out") -> None:
    """Store and publish output as a worker does."""
    change = output.store(backend.database, run, [Batch(kind, [Entry(1.0, source, one) for one in contents], 1000)])
    assert change is not None
    events.publish(backend.redis, change)


def draw_line(
    backend: Backend, run: Run, *contents: str, ended: Sequence[str] = (), replaces: bool = True, source: str = "err"
) -> None:
    """The same with lines that have no end yet, in place of those before."""
    batches = [Batch(OutputKind.LOG, [Entry(1.0, source, line) for line in ended], 1000)] if ended else []
    unfinished = [Entry(2.0, source, line) for line in contents]
    change = output.store(backend.database, run, batches, unfinished=unfinished, replaces=replaces)
    assert change is not None
    events.publish(backend.redis, change)


def lines(frames: list[str]) -> list[str]:
    return [line.text for frame in frames for line in BeautifulSoup(frame, "html.parser").select("ol li > span")]


def test_every_line_comes_once_and_in_order_however_fast(backend: Backend, ada: Person, run: Run) -> None:
    put_out(backend, run, "before")
    with ada.socket(f"?run={run.id}") as socket:
        frames = receive_until(socket, lambda frame: "before" in frame)
        for number in range(60):
            put_out(backend, run, f"line {number}.")
        frames += receive_until(socket, lambda frame: "line 59." in frame)
    assert lines(frames) == ["before", *(f"line {number}." for number in range(60))]
    assert all("outerMorph" not in frame.partition("-log-entries")[2].partition(">")[0] for frame in frames)


def test_a_page_that_comes_back_gets_what_it_missed_and_no_more(backend: Backend, ada: Person, run: Run) -> None:
    put_out(backend, run, "one", "two")
    with ada.socket(f"?run={run.id}&shown={run.id}.1&log=3") as socket:
        assert lines([str(socket.recv(timeout=PATIENCE_SECONDS))]) == []
        put_out(backend, run, "three")
        assert lines(receive_until(socket, lambda frame: "three" in frame)) == ["three"]
    put_out(backend, run, "four")
    with ada.socket(f"?run={run.id}&shown={run.id}.1&log=4") as socket:
        assert lines([str(socket.recv(timeout=PATIENCE_SECONDS))]) == ["one", "two", "three", "four"]


def test_a_line_without_an_end_is_drawn_anew_and_then_comes_among_the_others(
    backend: Backend, ada: Person, run: Run
) -> None:
    put_out(backend, run, "before")
    with ada.socket(f"?run={run.id}") as socket:
        receive_until(socket, lambda frame: "before" in frame)
        for percent in range(10, 100, 10):
            draw_line(backend, run, f"{percent} %")
            (*_, frame) = receive_until(socket, lambda frame, percent=percent: f"{percent} %" in frame)  # type: ignore[misc]
            assert f'hx-target="#run-{run.id}-log-unfinished" hx-swap="outerMorph"' in frame
            assert "-entries" not in frame
        draw_line(backend, run, ended=["100 %"])
        (*_, frame) = receive_until(socket, lambda frame: "100 %" in frame)
    assert lines([frame]) == ["100 %"]
    assert "90 %" not in frame
    assert the(BeautifulSoup(frame, "html.parser"), f"#run-{run.id}-log-unfinished").text == ""


def test_a_page_that_asks_gets_a_line_without_an_end_once(backend: Backend, ada: Person, run: Run) -> None:
    put_out(backend, run, "before")
    draw_line(backend, run, "10 %")
    version = read(backend, run).version
    asked = f"/live/changes?run={run.id}&shown={run.id}.{version}&log=2"
    assert lines([str(ada.get(asked))]) == ["10 %"]
    assert str(ada.get(f"{asked}.{version}")) == ""


def test_only_the_runs_own_page_hears_its_lines_and_only_its_owners(
    backend: Backend, stack: Stack, ada: Person, run: Run
) -> None:
    ben = Person(stack.url, f"ben{time.time_ns()}@example.com")
    with (
        ada.socket(f"?run={run.id}") as own,
        ada.socket() as listing,
        ada.socket(f"?run={run.id}&output=no") as filtered,
        ben.socket(f"?run={run.id}") as peeking,
    ):
        for socket in (own, listing, filtered, peeking):
            socket.recv(timeout=PATIENCE_SECONDS)
        put_out(backend, run, "private")
        receive_until(own, lambda frame: "private" in frame)
        for socket in (listing, filtered):
            assert "private" not in "".join(receive_until(socket, lambda frame: f'id="run-{run.id}"' in frame))
        assert receives_nothing(peeking)


def test_lines_are_text_in_what_is_pushed(backend: Backend, ada: Person, run: Run) -> None:
    with ada.socket(f"?run={run.id}") as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        for line in (*CORPUS, "the end"):
            put_out(backend, run, line)
        frames = receive_until(socket, lambda frame: "the end" in frame)
        put_out(backend, run, *CORPUS, "the last", kind=OutputKind.EMITTED)
        frames += receive_until(socket, lambda frame: "the last" in frame)
    assert lines(frames) == [*CORPUS, "the end"]
    pushed = BeautifulSoup("".join(frames), "html.parser")
    assert [one.text for one in pushed.select("pre")] == [*CORPUS, "the last"]
    assert pushed.select("script, img, svg[onload], head, [onerror], template") == []
