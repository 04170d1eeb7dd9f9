"""Tasks with limits, and runs of them."""

from collections.abc import Mapping

from jobs import task
from jobs.authoring.task import Task
from jobs.runs import limits
from jobs.runs.backend import Backend
from jobs.runs.lease import Claim
from jobs.runs.run import Run
from tests.support.people import make_run


@task
def free(customer: int = 0) -> None: ...


@task(concurrency=2)
def scarce(customer: int = 0) -> None: ...


@task(concurrency=1, per="customer")
def each(customer: int = 0) -> None: ...


@task(concurrency=1, per="owner")
def own(customer: int = 0) -> None: ...


TASKS: Mapping[str, Task] = {function.__name__: function.__dict__["__task__"] for function in (free, scarce, each, own)}
LIMITS = limits.limits_of({name: one.summary for name, one in TASKS.items()})


def claim_of(backend: Backend) -> Claim:
    return Claim("worker", tuple(TASKS), backend.durations, limits=LIMITS)


def limited_run(backend: Backend, owner_id: int, name: str, customer: int = 0) -> Run:
    parameters = {"customer": customer}
    key = limits.key_of(TASKS[name], owner_id, parameters)
    return make_run(backend, owner_id, name, parameters=parameters, limit_key=key)


def counted(run: Run) -> tuple[str, ...]:
    """Return what a run counts under."""
    has_keys = run.task in LIMITS and LIMITS[run.task].has_keys
    return (run.task, str(run.limit_key)) if has_keys else (run.task,)
