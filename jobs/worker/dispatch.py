"""The function that every RQ job names."""


class NotOurWorker(Exception):
    """A job was delivered to a worker that cannot execute runs."""


class NotRecorded(Exception):
    """A run could not be completed or recorded; it is retried after its lease expires."""


def execute(run_id: int) -> None:
    """Raise NotOurWorker. Our workers never call this; they execute the run whose turn it is."""
    raise NotOurWorker("Runs are executed by `python -m jobs`; `rq worker` cannot renew their leases.")
