"""The one function that RQ's jobs name."""

import config
from jobs import runner
from jobs.backend import Backend, open_backend

_served: tuple[Backend, str] | None = None


def serve(backend: Backend, worker: str) -> None:
    """Let this process's jobs use a backend that is open already."""
    global _served
    _served = (backend, worker)


def execute(run_id: int) -> None:
    """Execute a run."""
    backend, worker = _served or (open_backend(config.load()), "rq")
    runner.execute(backend, run_id, worker)
