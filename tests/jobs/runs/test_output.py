"""Output of runs: stored by the holder of the lease, numbered, bounded, and deleted with the run."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from jobs.runs import lease, output
from jobs.runs.backend import Backend
from jobs.runs.output import OutputRow, read_output
from jobs.runs.output_entries import LARGEST_BYTES, Batch, Entry, OutputKind
from jobs.runs.run import Run
from jobs.storage.database import utcnow
from tests.support.people import claimed, make_owner, make_run, read

NASTY = "<b>&\"'</b> ünïcødé \U0001f600 \u202e \\x00"


@pytest.fixture
def run(backend: Backend) -> Run:
    return claimed(backend, make_run(backend, make_owner(backend)))


def batch(*contents: Any, kind: OutputKind = OutputKind.LOG, dropped: int = 0, size: int = 0) -> Batch:
    entries = [Entry(1.5, "out", content) for content in contents]
    return Batch(kind, entries, size or sum(entry.size for entry in entries), dropped)


def lines(backend: Backend, run: Run, after: int = 0) -> list[tuple[int, Any]]:
    stored = read_output(backend.database, run.id, OutputKind.LOG, after).batches
    return [(number, entry.content) for one in stored for number, entry in enumerate(one.entries, one.number)]


def test_what_is_stored_comes_back_numbered_and_changes_the_version(backend: Backend, run: Run) -> None:
    change = output.store(backend.database, run, [batch("a", NASTY), batch({"x": 10**30}, kind=OutputKind.EMITTED)])
    assert change is not None
    assert (change.owner_id, change.version) == (run.owner_id, read(backend, run).version)
    assert change.version == run.version + 1
    output.store(backend.database, run, [batch("c")])
    assert lines(backend, run) == [(1, "a"), (2, NASTY), (3, "c")]
    assert lines(backend, run, after=2) == [(3, "c")]
    (emitted,) = read_output(backend.database, run.id, OutputKind.EMITTED).batches
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
    stored = read_output(backend.database, run.id, OutputKind.LOG).batches
    assert [(one.number, one.attempt) for one in stored] == [(1, 1), (2, 2)]


def test_the_oldest_lines_make_room_and_are_counted(backend: Backend, run: Run) -> None:
    for number in range(1, 31):
        output.store(backend.database, run, [batch(str(number), size=LARGEST_BYTES // 10)])
    found = read_output(backend.database, run.id, OutputKind.LOG)
    assert lines(backend, run) == [(number, str(number)) for number in range(21, 31)]
    assert found.dropped == 20
    with backend.database.read() as session:
        assert session.scalars(select(func.sum(OutputRow.bytes))).one() <= LARGEST_BYTES


def test_the_newest_batch_stays_however_large_and_the_other_kind_is_left_alone(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("line"), batch(1, kind=OutputKind.EMITTED)])
    output.store(backend.database, run, [batch(2, kind=OutputKind.EMITTED, size=2 * LARGEST_BYTES)])
    assert [one.number for one in read_output(backend.database, run.id, OutputKind.EMITTED).batches] == [2]
    assert lines(backend, run) == [(1, "line")]


def test_what_was_dropped_on_the_way_leaves_its_numbers_out(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a"), batch("z", dropped=24)])
    assert lines(backend, run) == [(1, "a"), (26, "z")]
    assert read_output(backend.database, run.id, OutputKind.LOG).dropped == 0, "before the oldest that is kept"


def test_a_flood_of_years_can_be_counted(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a", dropped=10**12), batch("b", size=2**31 - 1), batch("c", size=9)])
    assert lines(backend, run) == [(10**12 + 3, "c")]


# --- lines without an end


def entries(*contents: str) -> list[Entry]:
    return [Entry(1.5, "out", content) for content in contents]


def unfinished(backend: Backend, run: Run) -> list[str]:
    stored = read_output(backend.database, run.id, OutputKind.LOG)
    assert [one.unfinished for one in stored.batches[:-1]] == [False] * len(stored.batches[:-1])
    return [entry.content for entry in stored.unfinished.entries] if stored.unfinished else []


def test_a_line_without_an_end_is_replaced_until_it_ends(backend: Backend, run: Run) -> None:
    database = backend.database
    assert output.store(database, run, [batch("a")], unfinished=entries("10 %"))
    assert (lines(backend, run), unfinished(backend, run)) == ([(1, "a"), (2, "10 %")], ["10 %"])
    assert output.store(database, run, [], unfinished=entries("20 %", "and another"), replaces=True)
    assert lines(backend, run) == [(1, "a"), (2, "20 %"), (3, "and another")]
    assert unfinished(backend, run) == ["20 %", "and another"]
    assert output.store(database, run, [batch("b")], unfinished=entries("30 %"), replaces=True)
    assert lines(backend, run) == [(1, "a"), (2, "b"), (3, "30 %")]
    assert lines(backend, run, after=1) == [(2, "b"), (3, "30 %")]
    assert output.store(database, run, [batch("100 %", dropped=5), batch(1, kind=OutputKind.EMITTED)], replaces=True)
    assert (lines(backend, run), unfinished(backend, run)) == ([(1, "a"), (2, "b"), (8, "100 %")], [])
    assert read_output(database, run.id, OutputKind.EMITTED).unfinished is None


def test_a_line_that_was_wiped_is_gone(backend: Backend, run: Run) -> None:
    assert output.store(backend.database, run, [], unfinished=entries("loading"))
    assert output.store(backend.database, run, [], replaces=True)
    assert lines(backend, run) == []
    assert output.store(backend.database, run, [batch("a")])
    assert output.store(backend.database, run, [], replaces=True), "there is nothing to replace"
    assert lines(backend, run) == [(1, "a")]


def test_what_is_read_is_of_the_runs_version(backend: Backend, run: Run) -> None:
    assert read_output(backend.database, run.id, OutputKind.LOG).version == read(backend, run).version
    change = output.store(backend.database, run, [batch("a")], unfinished=entries("b"))
    assert change is not None
    for after in (0, 1, 2):
        assert read_output(backend.database, run.id, OutputKind.LOG, after).version == change.version


def test_a_run_that_lost_its_lease_replaces_nothing(backend: Backend, run: Run) -> None:
    assert output.store(backend.database, run, [], unfinished=entries("10 %"))
    lease.release(backend.database, "worker")
    assert output.store(backend.database, run, [], unfinished=entries("late"), replaces=True) is None
    assert lines(backend, run) == [(1, "10 %")]


@pytest.mark.parametrize("end", [lease.lose, lease.release])
def test_half_a_line_of_a_worker_that_died_is_kept(backend: Backend, run: Run, end: Any) -> None:
    assert output.store(backend.database, run, [batch("a")], unfinished=entries("half a li"))
    end(backend.database, "worker")
    assert (lines(backend, run), unfinished(backend, run)) == ([(1, "a"), (2, "half a li")], [])
    again = claimed(backend, run)
    assert output.store(backend.database, again, [], unfinished=entries("anew"))
    assert output.store(backend.database, again, [batch("b")], unfinished=entries("anew: 2"), replaces=True)
    assert lines(backend, run) == [(1, "a"), (2, "half a li"), (3, "b"), (4, "anew: 2")]
    assert unfinished(backend, run) == ["anew: 2"]


def test_nothing_is_unfinished_when_its_run_has_ended(backend: Backend, run: Run) -> None:
    assert output.store(backend.database, run, [], unfinished=entries("no newline at end"))
    assert lease.succeed(backend.database, run, None)
    assert (lines(backend, run), unfinished(backend, run)) == ([(1, "no newline at end")], [])


def test_a_line_that_others_follow_stays(backend: Backend, run: Run) -> None:
    assert output.store(backend.database, run, [], unfinished=entries("10 %"))
    assert output.store(backend.database, run, [batch("a")])
    assert unfinished(backend, run) == []
    assert output.store(backend.database, run, [batch("b")], replaces=True)
    assert lines(backend, run) == [(1, "10 %"), (2, "a"), (3, "b")]


def test_a_line_without_an_end_makes_no_other_give_way(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("large", size=LARGEST_BYTES)])
    for number in range(1, 4):
        assert output.store(backend.database, run, [], unfinished=entries(f"{number} " * 50_000), replaces=number > 1)
        assert [number for number, _ in lines(backend, run)] == [1, 2]
    assert output.store(backend.database, run, [batch("small", size=9)], replaces=True)
    assert lines(backend, run) == [(2, "small")]
    assert read_output(backend.database, run.id, OutputKind.LOG).dropped == 1


def test_half_a_line_counts_once_it_is_kept(backend: Backend, run: Run) -> None:
    assert output.store(backend.database, run, [batch("a", size=9)], unfinished=entries("x" * LARGEST_BYTES))
    lease.lose(backend.database, "worker")
    assert output.store(backend.database, claimed(backend, run), [batch("b", size=9)])
    assert [number for number, _ in lines(backend, run)] == [3], "the first two were more than 1 MB"


def test_output_goes_with_its_run(backend: Backend, run: Run) -> None:
    output.store(backend.database, run, [batch("a")])
    with backend.database.write() as session:
        session.execute(delete(Run).where(Run.id == run.id))
    assert lines(backend, run) == []
