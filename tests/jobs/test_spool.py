"""The spool: whatever a task puts out, what waits and what is sent stays within bounds, and what is lost is counted."""

import threading
import time

from jobs.batch import LARGEST_BYTES, Batch
from jobs.outcome import Success
from jobs.spool import BATCH_BYTES, Spool
from tests.jobs.calling import called
from tests.waiting import PATIENCE_SECONDS


def test_a_flood_is_bounded_and_what_is_lost_is_counted() -> None:
    def flood() -> None:
        for number in range(200_000):
            print(number)

    outcome, link = called(flood)
    assert outcome == Success(None)
    heard = sum(len(batch.entries) for batch in link.batches)
    assert heard + sum(batch.dropped for batch in link.batches) == 200_000
    assert link.lines[-1] == ("out", "199999")
    assert all(batch.size <= BATCH_BYTES for batch in link.batches)


def test_batches_are_few() -> None:
    arrived: list[Batch] = []
    spool = Spool(arrived.append, per_second=5)
    begun = time.monotonic()
    while time.monotonic() < begun + 1.1:
        spool.write("out", "x")
        threading.Event().wait(0.001)
    spool.close()
    assert len(arrived) <= 3 + (time.monotonic() - begun) * 5


def test_the_first_batch_does_not_wait() -> None:
    arrived = threading.Event()
    spool = Spool(lambda batch: arrived.set(), per_second=1 / (10 * PATIENCE_SECONDS))
    spool.write("out", "x")
    assert arrived.wait(PATIENCE_SECONDS)
    spool.close()


def test_what_waits_never_grows_beyond_its_bound_although_nobody_takes_it() -> None:
    blocked, batches = threading.Event(), list[Batch]()

    def deliver(batch: Batch) -> None:
        blocked.wait()
        batches.append(batch)

    spool = Spool(deliver)
    for number in range(50_000):
        spool.write("out", str(number))
    blocked.set()
    spool.close()
    assert sum(batch.size for batch in batches) <= LARGEST_BYTES + BATCH_BYTES
    assert sum(batch.dropped + len(batch.entries) for batch in batches) == 50_000


def test_a_delivery_that_fails_does_not_end_the_task() -> None:
    def refuse(batch: Batch) -> None:
        raise OSError("the pipe is broken")

    spool = Spool(refuse)
    spool.write("out", "x")
    spool.close()
