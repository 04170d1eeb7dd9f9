"""Limits of how many runs are running at once, against the real database."""

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from jobs.runs import caps, lease, limits
from jobs.runs.backend import Backend
from jobs.runs.blocked import Blocked, Limited, blocked
from jobs.runs.heads import FEW
from jobs.runs.lease import Claim
from jobs.runs.people import Role
from jobs.runs.run import Run, State
from jobs.runs.turns import Lane
from jobs.values.outcome import Failure
from tests.faults.scale import FULL
from tests.support.limited import LIMITS, TASKS, claim_of, counted, limited_run
from tests.support.people import make_owner, make_run

OWNERS = 3
KEYS = 4
MANY_RUNS = 2000 if FULL else 40
MOST_IDLE = 100 if FULL else 8


@pytest.fixture
def owners(backend: Backend) -> list[int]:
    return [make_owner(backend, f"{number}@example.com") for number in range(OWNERS)]


def test_equal_values_of_a_parameter_have_one_key_and_nothing_else_has_it() -> None:
    found = [
        limits.key_of(TASKS["each"], owner_id, {"customer": value}) for owner_id in (1, 2) for value in (0, 1, "1")
    ]
    found += [
        limits.key_of(TASKS[name], owner_id, {"customer": 0}) for name in ("own", "scarce") for owner_id in (1, 2)
    ]
    assert [found.index(key) for key in found] == [0, 1, 2, 0, 1, 2, 6, 7, 8, 8]
    assert limits.key_of(TASKS["free"], 1, {}) is None


def test_many_runs_of_a_key_that_is_full_hold_up_nothing_else(backend: Backend, owners: list[int]) -> None:
    """Neither the same owner's other keys and tasks, nor the cost of a claim (tests/test_scale.py)."""
    claim = claim_of(backend)
    for _each in range(3 * FEW):
        limited_run(backend, owners[0], "each", customer=7)
    assert lease.claim_next(backend.database, claim)
    others = [limited_run(backend, owners[0], "each", customer=number) for number in (1, 2)]
    others += [limited_run(backend, owners[0], "free")]
    claimed = [lease.claim_next(backend.database, claim) for _each in range(4)]
    assert [run and run.id for run in claimed] == [*(run.id for run in others), None]


def test_a_run_that_was_submitted_before_the_limit_counts_for_it_too(backend: Backend, owners: list[int]) -> None:
    old = [make_run(backend, owners[0], "each", parameters={"customer": number}) for number in range(2)]
    new = limited_run(backend, owners[0], "each", customer=1)
    claimed = [lease.claim_next(backend.database, claim_of(backend)) for _each in range(3)]
    assert [run and run.id for run in claimed] == [old[0].id, new.id, None]


def test_claims_at_the_same_time_never_exceed_a_limit_and_use_all_of_it(backend: Backend, owners: list[int]) -> None:
    for owner_id in owners:
        for number in range(4):
            limited_run(backend, owner_id, "each", customer=number)
            limited_run(backend, owner_id, "scarce")
    claim = claim_of(backend)
    with ThreadPoolExecutor(8) as threads:
        for _round in range(2):
            claimed = list(threads.map(lambda _number: lease.claim_next(backend.database, claim), range(10)))
            held = [run for run in claimed if run]
            assert Counter(run.task for run in held) == {"each": 4, "scarce": 2}
            assert len({run.limit_key for run in held if run.task == "each"}) == 4
            following = list(threads.map(lambda run: _succeed(backend, run, claim), held))
            assert Counter(run.task for run in following if run) == {"each": 4, "scarce": 2}
            for run in filter(None, following):
                assert lease.give_back(backend.database, run)


def _succeed(backend: Backend, run: Run, claim: Claim) -> Run | None:
    ended, following = lease.succeed_and_claim(backend.database, run, None, claim)
    assert ended
    return following


def test_a_user_has_no_more_runs_running_than_their_role_or_their_own_cap_allows(
    backend: Backend, owners: list[int]
) -> None:
    database, (capped, boss, member) = backend.database, owners
    nothing = dict.fromkeys(caps.NAMES)
    caps.set_caps(database, capped, {**nothing, "running_runs": 1})
    caps.set_caps(database, boss, {**nothing, "running_runs": 3})
    claim = replace(claim_of(backend), running_by_role={Role.MEMBER: 2})
    for owner_id in owners:
        for _each in range(4):
            limited_run(backend, owner_id, "free")
    with ThreadPoolExecutor(8) as threads:
        claimed = [run for run in threads.map(lambda _number: lease.claim_next(database, claim), range(12)) if run]
    assert Counter(run.owner_id for run in claimed) == {capped: 1, boss: 3, member: 2}
    (held,) = [run for run in claimed if run.owner_id == capped]
    _ended, following = lease.succeed_and_claim(database, held, None, claim)
    assert following
    assert following.owner_id == capped
    assert lease.claim_next(database, claim) is None
    caps.set_caps(database, capped, nothing)
    assert lease.claim_next(database, claim), "as for others of the role"


def test_what_keeps_a_run_from_starting_is_named(backend: Backend, owners: list[int]) -> None:
    database, (capped, other, _third) = backend.database, owners
    caps.set_caps(database, capped, {**dict.fromkeys(caps.NAMES), "running_runs": 1})
    held = [limited_run(backend, other, name, 5) for name in ("scarce", "scarce", "each", "own")]
    held += [limited_run(backend, capped, "free")]
    for run in held:
        assert lease.claim(database, run.id, "worker")
    waiting = [limited_run(backend, capped, name, 5) for name in ("scarce", "each", "own")]
    waiting += [limited_run(backend, other, name, 6) for name in ("each", "own", "free")]
    summaries = {name: one.summary for name, one in TASKS.items()}
    with database.read() as session:
        found = blocked(session, backend.settings, summaries, waiting)
    assert [found.get(run.id) for run in waiting] == [
        Blocked(Limited.TASK, 2, None),
        Blocked(Limited.KEY, 1, None, "customer"),
        Blocked(Limited.OWNER, 1, held[4].id),
        None,
        Blocked(Limited.OWNER, 1, held[3].id, "owner"),
        None,
    ]


def test_whatever_eight_workers_lose_and_end_a_limit_is_never_exceeded_and_all_of_it_is_used(
    backend: Backend, owners: list[int]
) -> None:
    """On workers that are lost as often as not, with a limit of the task, of the key and of the owner at once."""
    database, claim = backend.database, replace(claim_of(backend), running_by_role={Role.MEMBER: 3})
    for number in range(MANY_RUNS):
        limited_run(backend, owners[number % OWNERS], ("each", "scarce", "own", "free")[number % 4], number % KEYS)
    crowded = threading.Event()

    def work(number: int) -> None:
        chance, mine = random.Random(number), replace(claim, worker=f"worker {number}")
        for _idle in range(MOST_IDLE):
            run = lease.claim_next(database, mine)
            while run:
                if _is_exceeded(backend):
                    crowded.set()
                match chance.randrange(4):
                    case 0:
                        lease.lose(database, f"worker {number}")
                        run = None
                    case 1:
                        lease.expire(database, {run.id: lease.leases(database)[run.id]})
                        assert lease.succeed(database, run, None) is None, "it has lost its lease"
                        run = None
                    case _:
                        _ended, run = lease.succeed_and_claim(database, run, None, mine)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    while run := lease.claim_next(database, claim):
        assert lease.succeed(database, run, None)
    assert not crowded.is_set()
    with database.read() as session:
        states = Counter(session.scalars(select(Run.state)))
    assert states.keys() <= {State.SUCCEEDED, State.FAILED}, "a run that lost too many workers has failed"


def _is_exceeded(backend: Backend) -> bool:
    with backend.database.read() as session:
        running = session.scalars(select(Run).where(Run.state == State.RUNNING)).all()
    counts = Counter(counted(run) for run in running if run.task in LIMITS)
    by_owner = Counter(run.owner_id for run in running)
    return (
        any(count > LIMITS[name].most for (name, *_key), count in counts.items())
        or max(by_owner.values(), default=0) > 3
    )


class Limits(RuleBasedStateMachine):
    """Whatever happens, a claim takes the run that the rule names, and none whose limit is reached."""

    backend: Backend
    owners: Sequence[int]

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Run] = []
        with self.backend.database.write() as session:
            session.execute(delete(Run))
            session.execute(delete(Lane))

    def eligible(self) -> list[Run]:
        with self.backend.database.read() as session:
            found = session.scalars(select(Run).where(Run.state == State.QUEUED, Run.due_at.is_(None))).all()
        counts = Counter(map(counted, self.held))
        return [run for run in found if run.task not in LIMITS or counts[counted(run)] < LIMITS[run.task].most]

    def places(self) -> dict[int, Lane]:
        with self.backend.database.read() as session:
            return {lane.owner_id: lane for lane in session.scalars(select(Lane))}

    def take(self, run: Run | None, eligible: Sequence[Run], places: Mapping[int, Lane]) -> None:
        """Check that a claim took the run that the rule names."""
        turn = [(places[one.owner_id].vtime, places[one.owner_id].since, one.id) for one in eligible]
        assert (run and run.id) == (min(turn)[2] if turn else None)
        self.held += [run] if run else []

    @rule(
        owner=st.integers(0, OWNERS - 1),
        name=st.sampled_from(sorted(TASKS)),
        customer=st.integers(0, KEYS - 1),
        count=st.integers(1, 3),
    )
    def submit(self, owner: int, name: str, customer: int, count: int) -> None:
        for _each in range(count):
            limited_run(self.backend, self.owners[owner], name, customer)

    @rule()
    def claim(self) -> None:
        eligible, places = self.eligible(), self.places()
        self.take(lease.claim_next(self.backend.database, claim_of(self.backend)), eligible, places)

    @precondition(lambda self: self.held)
    @rule(end=st.sampled_from(["succeed", "fail", "give_back", "expire", "succeed and claim"]), pick=st.integers(0, 9))
    def end(self, end: str, pick: int) -> None:
        run, database = self.held.pop(pick % len(self.held)), self.backend.database
        match end:
            case "succeed":
                assert lease.succeed(database, run, None)
            case "succeed and claim":
                eligible, places = self.eligible(), self.places()
                _ended, following = lease.succeed_and_claim(database, run, None, claim_of(self.backend))
                self.take(following, eligible, places)
            case "fail":
                assert lease.fail(database, run, Failure("Oops", "it broke"))
            case "give_back":
                assert lease.give_back(database, run)
            case "expire":
                assert lease.expire(database, {run.id: lease.leases(database)[run.id]})

    @rule(pick=st.integers(0, 10))
    def cancel(self, pick: int) -> None:
        if found := self.eligible()[pick : pick + 1]:
            assert lease.cancel(self.backend.database, found[0].id, found[0].owner_id)

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        with self.backend.database.read() as session:
            running = session.scalars(select(Run).where(Run.state == State.RUNNING)).all()
        counts = Counter(counted(run) for run in running if run.task in LIMITS)
        assert all(count <= LIMITS[task].most for (task, *_key), count in counts.items())
        assert {run.id for run in running} == {run.id for run in self.held}

    def teardown(self) -> None:
        while self.held or self.eligible():
            self.claim()
            while self.held:
                self.end("succeed", 0)


def test_whatever_happens_the_limits_hold(backend: Backend, owners: list[int]) -> None:
    machine = type("Machine", (Limits,), {"backend": backend, "owners": owners})
    bounds = settings(
        max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine, settings=bounds)
