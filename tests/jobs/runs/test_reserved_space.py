"""Space that uploads reserve before they store a byte."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import update

from jobs.runs.backend import Backend
from jobs.runs.reserved_space import ReservedSpace, release, renew, reserve
from jobs.storage.database import utcnow
from tests.support.people import make_owner


def test_uploads_at_the_same_time_reserve_no_more_than_the_quota(backend: Backend) -> None:
    owner = make_owner(backend)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: reserve(backend.database, owner, 8, quota=20), range(16)))
    assert sorted(one.size for one in made)[-4:] == [0, 4, 8, 8]
    for one in made:
        release(backend.database, one)
    assert reserve(backend.database, owner, 100, quota=20).size == 20
    assert reserve(backend.database, make_owner(backend, "other@example.com"), 100, quota=20).size == 20


def test_a_reservation_that_nobody_renews_ends(backend: Backend) -> None:
    owner = make_owner(backend)
    first = reserve(backend.database, owner, 20, quota=20)
    with backend.database.write() as session:
        session.execute(update(ReservedSpace).values(until=utcnow() - timedelta(seconds=1)))
    renew(backend.database, first)
    assert reserve(backend.database, owner, 20, quota=20).size == 0
    with backend.database.write() as session:
        session.execute(update(ReservedSpace).values(until=utcnow() - timedelta(seconds=1)))
    assert reserve(backend.database, owner, 20, quota=20).size == 20
