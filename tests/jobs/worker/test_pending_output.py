"""Pending output: what waits is bounded, what is lost is counted, and a database that is away costs nothing else."""

import json
import math
from typing import Any

import pytest

from jobs.runs import events, lease
from jobs.runs.backend import Backend
from jobs.runs.output import read_output
from jobs.runs.output_entries import LARGEST_BYTES, Entry, OutputKind
from jobs.runs.run import Run
from jobs.worker.pending_output import BATCH_BYTES, PendingOutput, Waiting
from tests.support import databases
from tests.support.people import claimed, make_owner, make_run, read


@pytest.fixture
def run(backend: Backend) -> Run:
    return claimed(backend, make_run(backend, make_owner(backend)))


@pytest.fixture
def pending(backend: Backend, run: Run) -> PendingOutput:
    return PendingOutput(backend, run)


def line(content: str, source: str = "out") -> Entry:
    return Entry(1.5, source, content)


def lines(backend: Backend, run: Run) -> list[tuple[int, Any]]:
    stored = read_output(backend.database, run.id, OutputKind.LOG).batches
    return [(number, entry.content) for one in stored for number, entry in enumerate(one.entries, one.number)]


def test_a_flood_is_bounded_and_what_is_lost_is_counted() -> None:
    waiting = Waiting(OutputKind.LOG)
    for number in range(200_000):
        waiting.add(line(str(number)))
    batches = waiting.batches()
    assert sum(batch.dropped + len(batch.entries) for batch in batches) == 200_000
    assert [batch.dropped for batch in batches[1:]] == [0] * (len(batches) - 1)
    assert sum(batch.size for batch in batches) <= LARGEST_BYTES
    assert all(batch.size <= BATCH_BYTES for batch in batches)
    assert batches[-1].entries[-1].content == "199999"


def test_batches_have_the_entries_in_their_order_and_still_wait() -> None:
    waiting = Waiting(OutputKind.LOG)
    contents = [f"{number} " + "x" * 900 for number in range(900)]
    for content in contents:
        waiting.add(line(content))
    for _look in range(2):
        assert [entry.content for batch in waiting.batches() for entry in batch.entries] == contents
    assert all(batch.size == sum(entry.size for entry in batch.entries) for batch in waiting.batches())
    waiting.clear()
    assert waiting.batches() == []


def test_one_entry_that_is_larger_than_all_may_be_waits_all_the_same() -> None:
    waiting = Waiting(OutputKind.EMITTED)
    waiting.add(line("small"))
    waiting.add(line("x" * (LARGEST_BYTES + 1)))
    (batch,) = waiting.batches()
    assert (len(batch.entries), batch.dropped) == (1, 1)


def test_what_is_put_out_first_is_due_at_once_and_the_next_after_a_pause(
    backend: Backend, run: Run, pending: PendingOutput
) -> None:
    assert pending.due_at == math.inf
    pending.add_line(line("first"))
    first_due_at = pending.due_at
    assert pending.store()
    assert pending.due_at == math.inf
    pending.emit(1)
    assert first_due_at < pending.due_at < math.inf
    assert pending.store()
    assert lines(backend, run) == [(1, "first")]
    (emitted,) = read_output(backend.database, run.id, OutputKind.EMITTED).batches
    assert [entry.content for entry in emitted.entries] == [1]


def test_its_owner_is_told_of_what_is_stored(backend: Backend, run: Run, pending: PendingOutput) -> None:
    with backend.redis.pubsub(ignore_subscribe_messages=True) as pages:
        pages.subscribe(events.channel(run.owner_id))
        assert pages.get_message(timeout=10) is None  # the subscription is there
        pending.add_line(line("a"))
        assert pending.store()
        told = pages.get_message(timeout=10)
    assert told
    assert json.loads(told["data"]) == {"run": run.id, "version": read(backend, run).version, "progress": 1}
    assert not events.changes_state(told["data"])


def test_while_the_database_is_away_output_waits_and_the_oldest_gives_way(
    backend: Backend, run: Run, pending: PendingOutput
) -> None:
    databases.take_away(backend.settings.data_dir)
    try:
        for number in range(30):
            pending.add_line(line(f"{number} ".ljust(LARGEST_BYTES // 10 - 100)))
            assert pending.try_to_store([]), "the run goes on"
            tried_again_at = pending.due_at
            pending.emit(number)
            assert pending.due_at == tried_again_at, "a database that is away is not asked without a pause"
    finally:
        databases.bring_back(backend.settings.data_dir)
    assert pending.store()
    kept = [(number, content.strip()) for number, content in lines(backend, run)]
    assert kept == [(number + 1, str(number)) for number in range(20, 30)]
    assert pending.store(), "nothing is left"
    assert len(lines(backend, run)) == 10
    emitted = read_output(backend.database, run.id, OutputKind.EMITTED).batches
    assert [entry.content for batch in emitted for entry in batch.entries] == list(range(30))


def test_output_that_no_database_takes_does_not_cost_the_run(
    backend: Backend, run: Run, pending: PendingOutput
) -> None:
    unwritable: Any = object()
    pending.add_line(Entry(unwritable, "out", "poison"))
    assert pending.store()
    pending.add_line(line("good"))
    assert pending.store()
    assert [content for _number, content in lines(backend, run)] == ["good"]


def test_a_run_that_is_not_this_workers_any_more_stores_nothing(
    backend: Backend, run: Run, pending: PendingOutput
) -> None:
    pending.add_line(line("late"))
    lease.release(backend.database, "worker")
    assert not pending.store()
    assert lines(backend, run) == []


def test_a_line_without_an_end_is_stored_and_replaced_when_it_has_changed(
    backend: Backend, run: Run, pending: PendingOutput
) -> None:
    pending.note_unfinished(True)
    assert pending.due_at < math.inf
    assert pending.store([line("10 %")])
    version = read(backend, run).version
    assert pending.store([line("10 %")])
    assert read(backend, run).version == version, "nothing has changed"
    assert pending.store([line("20 %")])
    assert lines(backend, run) == [(1, "20 %")]
    pending.add_line(line("100 %"))
    assert pending.store()
    assert lines(backend, run) == [(1, "100 %")]


def test_a_line_that_was_wiped_is_gone_after_a_pause(backend: Backend, run: Run, pending: PendingOutput) -> None:
    assert pending.store([line("loading")])
    pending.note_unfinished(False)
    assert pending.due_at < math.inf
    assert pending.store()
    assert lines(backend, run) == []
    pending.note_unfinished(False)
    assert pending.due_at == math.inf
