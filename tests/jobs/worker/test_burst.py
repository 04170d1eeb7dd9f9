"""A burst: the order in which one worker executes what waits."""

from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.runs.submission import cancel, submit
from tests.jobs.worker.test_worker import TASKS
from tests.support.people import read
from tests.support.serving import ended, serving, start
from tests.support.waiting import until


def test_a_flood_of_one_owner_leaves_the_next_turn_to_another(backend: Backend) -> None:
    with serving(backend.settings, TASKS) as served:
        busy = start(served, "stubborn")
        until(lambda: read(served, busy).progress, "the start")
        flood = [start(served, "who")]
        task = served.catalog["who"]
        flood += [submit(served, task, flood[0].owner_id, task.parameters()) for _each in range(20)]
        other = start(served, "who")
        cancel(served, busy.owner_id, busy.id)
        done = [ended(served, run) for run in (*flood, other)]
        assert {(run.state, run.attempt) for run in done} == {(State.SUCCEEDED, 1)}
        order = [run.id for run in sorted(done, key=lambda run: (run.started_at, run.id))]
        assert order == [flood[0].id, other.id, *(run.id for run in flood[1:])]
