"""Selections of runs: what a page shows, and its versions."""

import itertools
from collections.abc import Sequence

from jobs.runs import run_tags
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.selection import Selection, listed, versions
from tests.support.people import make_owner, make_run
from tests.support.work import calls_of

TASKS = ("a", "b")
STATES = (State.QUEUED, State.SUCCEEDED)


def fill(backend: Backend, owner_ids: Sequence[int], runs_of_each: int) -> None:
    with backend.database.write() as session:
        for number, owner_id in itertools.product(range(runs_of_each), owner_ids):
            task, state = TASKS[number % 2], STATES[number % 3 // 2]
            run = Run(owner_id=owner_id, task=task, state=state, version=number + 1, parameters={})
            run.starred = number % 5 == 0
            session.add(run)
            session.flush()
            run_tags.replace(session, owner_id, run.id, ["odd", "other"] if number % 2 else ["other"])


def test_the_versions_of_many_selections_are_those_of_each(backend: Backend) -> None:
    ada, ben, cleo = (make_owner(backend, f"{name}@example.com") for name in ("ada", "ben", "cleo"))
    fill(backend, [ada, ben], 30)
    running = [make_run(backend, ada, state=State.RUNNING).id for _ in range(2)]
    newer = make_run(backend, ada, state=State.FAILED).id
    theirs, others = (make_run(backend, owner) for owner in (ada, ben))
    selections = [
        Selection(owner, task, state, run_id, before, limit, running_first=running_first)
        for owner in (ada, ben, cleo)
        for task in (None, *TASKS, "none such")
        for state in (None, *STATES)
        for run_id in (None, theirs.id, others.id, 7)
        for before in (None, 1, 8, 10**6)
        for limit in (1, 5, 26)
        for running_first in (False, True)
    ]
    selections += [
        Selection(owner, task, state, run_id, before, 5, tag, starred)
        for owner in (ada, ben)
        for task in (None, "a")
        for state in (None, State.QUEUED)
        for run_id in (None, theirs.id)
        for before in (None, 40)
        for tag in (None, "odd", "none")
        for starred in (True, False)
    ]
    with backend.database.read() as session:
        each = [[(run.id, run.version) for run in listed(session, one)] for one in selections]
        assert versions(session, selections) == each
        assert {len(runs) for runs in each} >= {0, 1, 4, 5, 26}
        assert versions(session, []) == []
        latest = [run.id for run in listed(session, Selection(ada, running_first=True, limit=5))]
    assert latest == [running[1], running[0], theirs.id, newer, 59], "the running ones first"


def test_many_selections_take_little_more_than_few(backend: Backend) -> None:
    owners = [make_owner(backend, f"{number}@example.com") for number in range(20)]
    fill(backend, owners, 3)
    with backend.database.read() as session:

        def calls(selections: list[Selection]) -> int:
            return calls_of(lambda: versions(session, selections))

        every = [Selection(owner) for owner in owners]
        assert calls(every[:1]) > 0, "the first one is compiled"
        assert calls(every) < 1.5 * calls(every[:1])
