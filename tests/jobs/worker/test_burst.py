"""Runs that one worker executes back to back, and the jobs that stand for them."""

from rq.worker import Worker, WorkerStatus

from jobs.runs.backend import Backend
from jobs.runs.queue import push, taken
from jobs.runs.run import State
from jobs.runs.submission import cancel
from tests.jobs.worker.test_worker import lease_seconds, served
from tests.support.people import read
from tests.support.serving import ended, start
from tests.support.waiting import until

__all__ = ["lease_seconds", "served"]


def test_runs_that_wait_behind_each_other_are_executed_in_their_order_and_rq_counts_them(served: Backend) -> None:
    busy = start(served, "stubborn")
    until(lambda: read(served, busy).progress, "the start")
    runs = [start(served, "who") for _ in range(30)]
    gone = runs.pop(11)
    cancel(served, gone.owner_id, gone.id)
    foreign = served.queue.enqueue_call("os.getpid")
    push(served.queue, (runs[0].id, 1))
    runs += [start(served, "who") for _ in range(5)]
    cancel(served, busy.owner_id, busy.id)
    done = [ended(served, run) for run in runs]
    assert {(run.state, run.attempt) for run in done} == {(State.SUCCEEDED, 1)}
    assert sorted(done, key=lambda run: (run.started_at, run.id)) == done
    until(lambda: not served.queue.get_job_ids(), "the end of the queue")
    until(lambda: served.queue.failed_job_registry.get_job_ids() == [foreign.id], "what was refused being kept")
    until(lambda: Worker.all(connection=served.redis)[0].get_state() == WorkerStatus.IDLE, "the worker being idle")
    (worker,) = Worker.all(connection=served.redis)
    assert (worker.successful_job_count, worker.failed_job_count) == (len(runs) + 1, 1)
    assert not served.redis.zcard(served.queue.started_job_registry.key)


def test_a_run_that_takes_its_time_leaves_the_jobs_behind_it_to_other_workers(served: Backend) -> None:
    first = start(served, "stubborn")
    until(lambda: read(served, first).progress, "the start")
    second, *others = (start(served, name) for name in ("stubborn", "who", "who"))
    waiting = [f"run-{run.id}-1" for run in others]
    cancel(served, first.owner_id, first.id)
    until(lambda: read(served, second).progress, "the start of the second")
    until(lambda: served.queue.get_job_ids() == waiting and not taken(served.queue), "the jobs being on the queue")
    cancel(served, second.owner_id, second.id)
    assert {(run.state, run.attempt) for run in (ended(served, run) for run in others)} == {(State.SUCCEEDED, 1)}


def test_a_run_that_fails_costs_the_jobs_behind_it_nothing(served: Backend) -> None:
    busy = start(served, "stubborn")
    until(lambda: read(served, busy).progress, "the start")
    runs = [start(served, name) for name in ("crash", "who", "crash", "crash", "who")]
    cancel(served, busy.owner_id, busy.id)
    done = [ended(served, run) for run in runs]
    assert [run.state.value for run in done] == ["failed", "succeeded", "failed", "failed", "succeeded"]
    assert sorted(done, key=lambda run: (run.started_at, run.id)) == done
    until(lambda: not served.redis.keys("rq:job:*") and not taken(served.queue), "the end of RQ's record")
