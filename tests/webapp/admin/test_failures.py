"""The page of failures: grouped by error, without what varies and what users have entered."""

from datetime import timedelta

import pytest

from jobs.runs import failures
from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("cannot read 'secret.csv' at line 17", "cannot read … at line …"),
        ('no column "age" of 3.5 rows\nand more', "no column … of … rows"),
        ("<Thing at 0x7f1234> 2026-11-28 12:30:01", "<Thing at …> …-…-… …"),
        ("no such key: 3f2504e04f8911d3", "no such key: …"),
        ("", ""),
    ],
)
def test_what_varies_is_left_out(message: str, expected: str) -> None:
    assert failures.normalised(message) == expected


def test_failures_of_the_last_days_are_grouped_with_whom_they_concern(
    boss: Visitor, ada: Visitor, ben: Visitor, backend: Backend
) -> None:
    assert "No run has failed" in boss.get("/admin/failures/").text

    def fail(who: Visitor, message: str, task: str = "factorise", days: int = 0, kind: str = "ValueError") -> int:
        ended = {"state": State.FAILED, "ended_at": utcnow() - timedelta(days=days)}
        error = {"error_kind": kind, "error_message": message}
        return make_run(backend, owner_id(backend, who.email), task, **ended, **error).id

    for number, who in enumerate((ada, ada, ben)):
        fail(who, f"'{who.email}' has {number} apples")
    own = fail(boss, "out of pears", "reverse_text")
    fail(ada, "too long ago", days=failures.DAYS + 1)
    page = soup(boss.get("/admin/failures/"))
    first, second = page.select(".accounts__one")
    assert "ValueError: … has … apples" in first.text
    assert "3 runs of 2 users" in first.text
    assert "out of pears" in second.text
    assert "1 run of 1 user" in second.text
    links = [str(link["href"]) for link in page.select(".accounts a")]
    assert f"/runs/{own}" in links
    assert sum(link.startswith("/runs/") for link in links) == 1, "others' runs cannot be opened"
