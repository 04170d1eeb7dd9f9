"""The one function that RQ's jobs name."""

from collections.abc import Callable

_attend: Callable[[int], None] | None = None


class NotOurWorker(Exception):
    """A job came to a worker that cannot execute runs."""


def serve_with(attend: Callable[[int], None]) -> None:
    """Let this process's jobs be attended to by a worker of ours."""
    global _attend
    _attend = attend


def execute(run_id: int) -> None:
    """See a run through."""
    if _attend is None:
        raise NotOurWorker("Runs are executed by `python -m jobs`; `rq worker` cannot renew their leases.")
    _attend(run_id)
