"""The one function that RQ's jobs name."""

import config
from jobs import runner
from jobs.backend import Backend, open_backend
from jobs.runs import Run

_claimed: tuple[Backend, Run | None] | None = None


def hand_over(backend: Backend, run: Run | None) -> None:
    """Give this process the run that its worker has claimed, or None when there was nothing to claim any more."""
    global _claimed
    _claimed = (backend, run)


def execute(run_id: int) -> None:
    """Execute a run; in a worker that is not ours, such as `rq worker`, claim it here."""
    if _claimed is None:
        runner.execute(open_backend(config.load()), run_id, "rq worker")
        return
    backend, run = _claimed
    if run is not None and run.id == run_id:
        runner.complete(backend, run)
