"""The one function that RQ's jobs name."""

import logging
from collections.abc import Callable

_attend: Callable[[int], None] | None = None


log = logging.getLogger(__name__)


class NotOurWorker(Exception):
    """A job came to a worker that cannot execute runs."""


class NotRecorded(Exception):
    """A run could not be seen through; its lease will run out, and then it is tried again."""


def serve_with(attend: Callable[[int], None]) -> None:
    """Let this process's jobs be attended to by a worker of ours."""
    global _attend
    _attend = attend


def execute(run_id: int) -> None:
    """See a run through."""
    if _attend is None:
        raise NotOurWorker("Runs are executed by `python -m jobs`; `rq worker` cannot renew their leases.")
    try:
        _attend(run_id)
    except Exception:
        log.exception("run %d could not be seen through", run_id)
        # RQ keeps what is raised here and its dashboard shows it as it is: nothing of a run may be in it.
        raise NotRecorded("The worker's log says why.") from None
