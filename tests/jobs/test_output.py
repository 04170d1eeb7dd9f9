"""Output: what runs put out is kept by whoever holds the lease, numbered, bounded, and gone with the run."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from jobs import lease, output
from jobs.backend import Backend
from jobs.batch import LARGEST_BYTES, Batch, Entry, Kind
from jobs.db import utcnow
from jobs.output import OutputRow, read_output
from jobs.runs import Run
from jobs.unstored import Unstored
from tests import databases
from tests.people import make_owner, make_run, read

NASTY = "<b>&\"'</b> ünïcødé \U0001f600 \u202e \\x00"


@pytest.fixture
def run(backend: Backend) -> Run:
    return claimed(backend, make_run(backend, make_owner(backend)))


def claimed(backend: Backend, run: Run) -> Run:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    return held


def batch(*contents: Any, kind: Kind = Kind.LOG, dropped: int = 0, size: int = 0) -> Batch:
    entries = [Entry(1.5, "out", content) for content in contents]
    return Batch(kind, entries, size or sum(entry.size for entry in entries), dropped)


def lines(backend: Backend, run: Run, after: int = 0) -> list[tuple[int, Any]]:
    stored = read_output(backend.database, run.id, Kind.LOG, after).batches
    return [(number, entry.content) for one in stored for number, entry in enumerate(one.entries, one.number)]


def test_what_is_stored_comes_back_numbered_and_changes_the_version(backend: Backend, run: Run) -> None:
    change = output.store(backend.database, run, [batch("a", NASTY), batch({"x": 10**30}, kind=Kind.EMITTED)])
    assert change is not None
    assert (change.owner_id, change.version) == (run.owner_id, read(backend, run).version)
    assert change.version == run.version + 1
    output.store(backend.database, run, [batch("c")])
    assert lines(backend, run) == [(1, "a"), (2, NASTY), (3, "c")]
    assert lines(backend, run, after=2) == [(3, "c")]
    (emitted,) = read_output(backend.database, run.id, Kind.EMITTED).batches
    assert (emitted.number, emitted.entries) == (1, [Entry(1.5, "out", {"x": 10**30})])


def test_a_run_that_lost_its_lease_keeps_nothing(backend: Backend, run: Run) -> None:
    lease.release(backend.database, "worker")
    assert output.store(backend.database, run, [batch("late")]) is None
    again = claimed(backend, run)
    assert output.store(backend.database, run, [batch("late")]) is None
    assert output.store(backend.database, again, [batch("mine")]) is not None
    assert lines(backend, run) == [(1, "mine")]


def test_storing_renews_the_lease(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a")], seconds=3600)
    assert (read(backend, run).lease_expires_at or utcnow()) > utcnow() + timedelta(minutes=50)


def test_a_further_attempt_goes_on_after_the_lines_of_the_one_before(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("first")])
    lease.lose(backend.database, "worker")
    output.store(backend.database, claimed(backend, run), [batch("second")])
    stored = read_output(backend.database, run.id, Kind.LOG).batches
    assert [(one.number, one.attempt) for one in stored] == [(1, 1), (2, 2)]


def test_the_oldest_lines_make_room_and_are_counted(backend: Backend, run: Run) -> None:
    for number in range(1, 31):
        output.store(backend.database, run, [batch(str(number), size=LARGEST_BYTES // 10)])
    found = read_output(backend.database, run.id, Kind.LOG)
    assert lines(backend, run) == [(number, str(number)) for number in range(21, 31)]
    assert found.dropped == 20
    with backend.database.read() as session:
        assert session.scalars(select(func.sum(OutputRow.bytes))).one() <= LARGEST_BYTES


def test_the_newest_batch_stays_however_large_and_the_other_kind_is_left_alone(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("line"), batch(1, kind=Kind.EMITTED)])
    output.store(backend.database, run, [batch(2, kind=Kind.EMITTED, size=2 * LARGEST_BYTES)])
    assert [one.number for one in read_output(backend.database, run.id, Kind.EMITTED).batches] == [2]
    assert lines(backend, run) == [(1, "line")]


def test_what_was_dropped_on_the_way_leaves_its_numbers_out(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a"), batch("z", dropped=24)])
    assert lines(backend, run) == [(1, "a"), (26, "z")]
    assert read_output(backend.database, run.id, Kind.LOG).dropped == 0, "before the oldest that is kept"


def test_a_flood_of_years_can_be_counted(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a", dropped=10**12), batch("b", size=2**31 - 1), batch("c", size=9)])
    assert lines(backend, run) == [(10**12 + 3, "c")]


def test_output_goes_with_its_run(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a")])
    with backend.database.write() as session:
        session.execute(delete(Run).where(Run.id == run.id))
    assert lines(backend, run) == []


def test_while_the_database_is_away_output_waits_and_the_oldest_gives_way(backend: Backend, run: Run) -> None:
    unstored = Unstored(backend, run)
    databases.take_away(backend.settings.data_dir)
    try:
        for number in range(30):
            unstored.add(batch(str(number), size=LARGEST_BYTES // 10))
            assert unstored.try_to_store(), "the run goes on"
    finally:
        databases.bring_back(backend.settings.data_dir)
    assert unstored.store()
    assert lines(backend, run) == [(number + 1, str(number)) for number in range(20, 30)]
    assert unstored.store(), "nothing is left"
    assert len(lines(backend, run)) == 10


def test_output_that_no_database_takes_does_not_cost_the_run(backend: Backend, run: Run) -> None:
    unstored = Unstored(backend, run)
    unstored.add(batch("poison", dropped=2**63))
    assert unstored.store()
    unstored.add(batch("good"))
    assert unstored.store()
    assert lines(backend, run) == [(1, "good")]
