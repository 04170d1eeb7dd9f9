"""Live pages while Redis, the source of their events, is unreachable."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from jobs.runs.run import Run
from tests.faults.application import Application
from tests.support.person import receive_until, shows
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.xdist_group("application")

LATE = "a few seconds late"


@pytest.mark.parametrize(
    ("leave", "come_back"),
    [
        (lambda one: one.redis.kill(), lambda one: one.redis.start()),
        (lambda one: one.redis.suspend(), lambda one: one.redis.resume()),
        (lambda one: one.relay.refuse(), lambda one: one.relay.open()),
    ],
    ids=["killed", "frozen", "refused"],
)
def test_without_redis_a_page_says_that_it_is_late_and_is_right_all_the_same(
    application: Application, leave: Callable[[Application], None], come_back: Callable[[Application], None]
) -> None:
    ada = application.person()
    run_id = ada.submit("reverse_text", text="before")
    with ada.socket() as page:
        receive_until(page, shows(run_id, "succeeded"))
        leave(application)
        try:
            receive_until(page, lambda frame: LATE in frame)
            with application.backend.database.write() as session:
                session.execute(update(Run).where(Run.id == run_id).values(result="meanwhile", version=Run.version + 1))
            receive_until(page, lambda frame: "meanwhile" in frame)
            with ada.socket() as new_page:
                assert "meanwhile" in str(new_page.recv(timeout=PATIENCE_SECONDS))
        finally:
            come_back(application)
        receive_until(page, lambda frame: 'id="live-status"' in frame and LATE not in frame)
        after = ada.submit("reverse_text", text="after")
        receive_until(page, shows(after, "succeeded"))
