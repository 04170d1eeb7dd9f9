"""The rule of turns, against the real database."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update

from jobs.runs import lease, turns
from jobs.runs.backend import Backend
from jobs.runs.people import Person
from jobs.runs.run import Run, State
from jobs.runs.turns import Lane
from jobs.values.outcome import Failure
from tests.support.people import make_owner, make_run, read, weigh
from tests.support.simulated_workers import TASKS, claim_of, let_last

OWNERS = 3


@pytest.fixture
def owners(backend: Backend) -> list[int]:
    return [make_owner(backend, f"{number}@example.com") for number in range(OWNERS)]


def lanes(backend: Backend) -> dict[int, Lane]:
    with backend.database.read() as session:
        return {lane.owner_id: lane for lane in session.scalars(select(Lane))}


def test_those_who_come_at_the_same_time_start_in_the_order_in_which_they_came(
    backend: Backend, owners: list[int]
) -> None:
    runs = [make_run(backend, owner_id) for owner_id in (owners[2], owners[0], owners[1])]
    claimed = [lease.claim_next(backend.database, claim_of(backend)) for _each in runs]
    assert [run and run.id for run in claimed] == [run.id for run in runs]


def test_lanes_that_were_dropped_are_made_again_from_the_runs(backend: Backend, owners: list[int]) -> None:
    flood, other, _nobody = owners
    runs = [make_run(backend, flood) for _each in range(10)] + [make_run(backend, other)]
    claim = claim_of(backend)
    first = lease.claim_next(backend.database, claim)
    assert first is not None
    with backend.database.write() as session:
        session.execute(delete(Lane))
    assert lease.succeed(backend.database, first, None), "the truth is elsewhere"
    assert lease.claim_next(backend.database, claim) is None
    turns.refresh(backend.database)
    started = []
    while run := lease.claim_next(backend.database, claim):
        started.append(run)
    assert sorted(run.id for run in started) == [run.id for run in runs[1:]]
    assert other in {run.owner_id for run in started[:2]}, "it is fair again"


def test_a_lane_is_kept_while_it_is_needed(backend: Backend, owners: list[int]) -> None:
    waiting, running, gone = owners
    for owner_id in (gone, running, waiting):
        make_run(backend, owner_id)
    claim = claim_of(backend)
    first, second = (lease.claim_next(backend.database, claim) for _each in range(2))
    assert first is not None
    assert second is not None
    lease.succeed(backend.database, first, None)
    with backend.database.write() as session:
        session.execute(update(Lane).where(Lane.owner_id == waiting).values(vtime=500, turn=500))
    turns.refresh(backend.database)
    assert set(lanes(backend)) == {waiting, running}
    let_last(second, 1000)
    lease.fail(backend.database, second, Failure("Oops", "it broke"))
    assert lanes(backend)[running].vtime == pytest.approx(1000, abs=1), "a failure takes time, too"
    turns.refresh(backend.database)
    assert set(lanes(backend)) == {waiting, running}, "it has had more than its share"


def test_claims_at_the_same_time_take_every_run_once_and_miss_none(backend: Backend, owners: list[int]) -> None:
    runs = [
        make_run(backend, owner_id) for owner_id, count in zip(owners, (1, 5, 18), strict=True) for _ in range(count)
    ]
    claim = claim_of(backend)
    with ThreadPoolExecutor(4) as threads:
        claimed = list(threads.map(lambda _number: lease.claim_next(backend.database, claim), runs))
    assert sorted(run.id for run in claimed if run) == [run.id for run in runs]
    assert lease.claim_next(backend.database, claim) is None


class Turns(RuleBasedStateMachine):
    """Whatever happens, the next run is the one that the rule names, and no run is lost or doubled."""

    backend: Backend
    owners: Sequence[int]

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Run] = []
        self.ended: set[int] = set()
        with self.backend.database.write() as session:
            session.execute(delete(Run))
            session.execute(delete(Lane))

    def waiting(self, task: str | None = None) -> list[Run]:
        with self.backend.database.read() as session:
            found = session.scalars(select(Run).where(Run.state == State.QUEUED, Run.due_at.is_(None)))
            return [run for run in found.all() if task in (None, run.task)]

    def weight(self, owner_id: int) -> float:
        with self.backend.database.read() as session:
            return session.get_one(Person, owner_id).weight

    @rule(owner=st.integers(0, OWNERS - 1), task=st.sampled_from(TASKS), count=st.integers(1, 3))
    def submit(self, owner: int, task: str, count: int) -> None:
        before = lanes(self.backend)
        present = max((lane.turn for lane in before.values()), default=0.0)
        was_waiting = any(run.owner_id == self.owners[owner] for run in self.waiting())
        for _each in range(count):
            make_run(self.backend, self.owners[owner], task)
        lane, old = lanes(self.backend)[self.owners[owner]], before.get(self.owners[owner])
        assert lane.vtime == (old.vtime if old and was_waiting else max(old.vtime if old else present, present))

    @rule(tasks=st.sampled_from([TASKS, TASKS[:1], TASKS[1:]]))
    def claim(self, tasks: Sequence[str]) -> None:
        places = lanes(self.backend)
        eligible = [run for run in self.waiting() if run.task in tasks and run.owner_id in places]
        run = lease.claim_next(self.backend.database, claim_of(self.backend, tasks))
        if not eligible:
            assert run is None
            return
        of_lane = min((places[one.owner_id].vtime, places[one.owner_id].since, one.id, one) for one in eligible)
        assert run is not None
        assert run.id == of_lane[2]
        lane = lanes(self.backend)[run.owner_id]
        assert (lane.turn, lane.vtime) == pytest.approx(
            (of_lane[0], of_lane[0] + run.charged / self.weight(run.owner_id))
        )
        self.held.append(run)

    @precondition(lambda self: self.held)
    @rule(
        end=st.sampled_from(["succeed", "fail", "postpone", "give_back", "lose", "expire", "succeed and claim"]),
        seconds=st.sampled_from([0.1, 1.0, 50.0]),
    )
    def end(self, end: str, seconds: float) -> None:
        run, database, failure = self.held.pop(0), self.backend.database, Failure("Oops", "it broke")
        let_last(run, seconds)
        before = lanes(self.backend).get(run.owner_id)
        match end:
            case "succeed":
                assert lease.succeed(database, run, None)
            case "succeed and claim":
                ended, following = lease.succeed_and_claim(database, run, None, claim_of(self.backend))
                assert ended
                self.held += [following] if following else []
            case "fail":
                assert lease.fail(database, run, failure)
            case "postpone":
                assert lease.postpone(database, run, failure, 60)
                assert lease.become_due(database, [run.id])
            case "give_back":
                assert lease.give_back(database, run)
            case "lose":
                lease.lose(database, "worker")
                self.held.clear()
            case "expire":
                assert lease.expire(database, {run.id: lease.leases(database)[run.id]})
        if before and end in ("succeed", "fail", "postpone", "give_back") and run.owner_id in lanes(self.backend):
            now = lanes(self.backend)[run.owner_id]
            settled = before.vtime + (seconds - run.charged) / self.weight(run.owner_id)
            assert now.vtime >= settled - 0.001
            assert now.turn <= now.vtime
        if end in ("succeed", "fail", "succeed and claim"):
            self.ended.add(run.id)

    @rule(pick=st.integers(0, 10))
    def cancel(self, pick: int) -> None:
        if found := self.waiting()[pick : pick + 1]:
            assert lease.cancel(self.backend.database, found[0].id, found[0].owner_id)

    @rule(owner=st.integers(0, OWNERS - 1), weight=st.sampled_from([0.5, 1, 3]))
    def weigh(self, owner: int, weight: float) -> None:
        weigh(self.backend, self.owners[owner], weight)

    @rule()
    def drop_lanes(self) -> None:
        with self.backend.database.write() as session:
            session.execute(delete(Lane))

    @rule()
    def refresh(self) -> None:
        turns.refresh(self.backend.database)
        assert {run.owner_id for run in self.waiting()} <= set(lanes(self.backend))

    @invariant()
    def no_run_is_lost_or_doubled(self) -> None:
        with self.backend.database.read() as session:
            running = session.scalars(select(Run.id).where(Run.state == State.RUNNING)).all()
        assert sorted(running) == sorted(run.id for run in self.held)
        assert all(read(self.backend, run).lease_token == run.lease_token for run in self.held)

    def teardown(self) -> None:
        turns.refresh(self.backend.database)
        left = {run.id for run in self.waiting()}
        while run := lease.claim_next(self.backend.database, claim_of(self.backend)):
            left.remove(run.id)
        assert not left


def test_whatever_happens_the_rule_holds(backend: Backend, owners: list[int]) -> None:
    machine = type("Machine", (Turns,), {"backend": backend, "owners": owners})
    bounds = settings(
        max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine, settings=bounds)
