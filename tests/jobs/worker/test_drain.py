"""A drained worker finishes its run and takes no other until it is resumed."""

import threading

from rq.worker import Worker, WorkerStatus

from jobs import Progress, task
from jobs.runs import heartbeats, pauses
from jobs.runs.backend import Backend
from jobs.runs.pauses import Kind
from jobs.runs.run import State
from jobs.runs.submission import cancel
from tests.support.people import read
from tests.support.serving import catalog_of, ended, serving, start
from tests.support.waiting import until


@task
def work(progress: Progress, wait: bool = False) -> int:
    """Work until it is let go, if asked to."""
    progress(0.5, "working")
    while wait:
        progress(0.5)
        threading.Event().wait(0.01)
    return 1


def is_suspended(backend: Backend) -> bool:
    return bool(Worker.all(connection=backend.redis)[0].get_state() == WorkerStatus.SUSPENDED)


def test_a_drained_worker_finishes_its_run_and_leaves_the_jobs_to_others_until_it_is_resumed(backend: Backend) -> None:
    with serving(backend.settings, catalog_of(work)) as served:
        with served.database.read() as session:
            (worker,) = heartbeats.listed(session, 10)
        current = start(served, "work", wait=True)
        until(lambda: read(served, current).progress, "the start")
        pauses.pause(served.database, Kind.WORKER, worker.name, "", "boss@example.com")
        waiting = start(served, "work")
        cancel(served, current.owner_id, current.id)
        assert ended(served, current).state is State.CANCELLED
        until(lambda: is_suspended(served), "the end of its work")
        assert served.queue.get_job_ids() == [f"run-{waiting.id}-1"]
        assert heartbeats.alive(served.database) == 1
        pauses.resume(served.database, Kind.WORKER, worker.name)
        assert ended(served, waiting).state is State.SUCCEEDED
        pauses.pause(served.database, Kind.WORKER, worker.name, "", "boss@example.com")
        late = start(served, "work")  # it waits for a job right now, and gets one although it is drained
        until(lambda: is_suspended(served), "its putting the job back")
        assert read(served, late).state is State.QUEUED
        assert served.queue.get_job_ids() == [f"run-{late.id}-1"]
