"""The one function that RQ's jobs name."""


class NotOurWorker(Exception):
    """A job came to a worker that cannot execute runs."""


class NotRecorded(Exception):
    """A run could not be seen through; its lease will run out, and then it is tried again."""


def execute(run_id: int) -> None:
    """Look at a run: what a worker of ours does when it meets a job with this function's name."""
    raise NotOurWorker("Runs are executed by `python -m jobs`; `rq worker` cannot renew their leases.")
