"""The sentence on what a run waits for: every member of the closed list, on pages and for programs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from jobs.runs import Code, Kind, Pause, caps, heartbeats, lease, pauses, wait_of
from jobs.runs.backend import Backend
from jobs.runs.blocked import Blocked, Limited
from jobs.runs.run import Run, State
from jobs.runs.start_times import Interval
from jobs.runs.wait_estimate import WaitEstimate, wait_estimates
from jobs.storage.database import utcnow
from tests.support.people import make_owner, make_run, owner_id, weigh
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from webapp.api.schemas import COMMON
from webapp.runs import waits

AT = datetime(2026, 11, 28, 15, 0, 5, tzinfo=UTC)
BOSS = "boss@example.com"
COLD = {"attempt": 2, "failures": 1, "error_message": "cold"}


def paused(kind: Kind, reason: str = "") -> WaitEstimate:
    return WaitEstimate(1, pause=Pause(kind=kind, name="", reason=reason, paused_by=BOSS, paused_at=AT))


def run(**values: object) -> Run:
    return Run(**{"id": 7, "owner_id": 1, "task": "reverse_text", "state": State.QUEUED, "attempt": 1, **values})


IN_LINE = [
    (WaitEstimate(2, 0, Interval(0, 0)), "Next in line"),
    (WaitEstimate(2, 0, Interval(3.1, 12.4)), "Next in line; starts in 3 to 12 s"),
    (WaitEstimate(2, 0, Interval(0.2, 12.4)), "Next in line; starts within 12 s"),
    (WaitEstimate(2, 1, None, position=2), "2nd for you; when it starts can't be known yet"),
    (
        WaitEstimate(2, 3, Interval(40, 185), position=3, people=2),
        "3rd for you; 2 people ahead; starts in 40 s to 3 min",
    ),
    (WaitEstimate(2, 1, Interval(110, 130), people=1), "1st for you; 1 person ahead; starts in about 2 min"),
    (
        WaitEstimate(2, 9, Interval(60, 130), position=11, people=3, came_later=1),
        "11th for you; 3 people ahead; 1 of them came later, having had less of the workers' time; "
        "starts in 1 to 2 min",
    ),
    (
        WaitEstimate(2, 1, Interval(2, 3), position=2, overtaken_by=[5]),
        "2nd for you; your run 5 is tried again first; starts in 2 to 3 s",
    ),
    (
        WaitEstimate(2, 1000, Interval(400, 800), position=1001, more=True),
        "More than 1,000 of your runs come first; starts in more than 7 min",
    ),
]
SENTENCES = [
    *((Code.POSITION, run(), expected, words) for expected, words in IN_LINE),
    (Code.PAUSED, run(), paused(Kind.EVERYTHING), f"Everything is paused by {BOSS}."),
    (Code.PAUSED, run(), paused(Kind.USER), f"Your runs are paused by {BOSS}."),
    (Code.PAUSED, run(), paused(Kind.TASK, "<it> leaks"), f"This task is paused by {BOSS} because <it> leaks."),
    (
        Code.QUEUE_AWAY,
        run(push_failed_at=AT, due_at=AT, **COLD),
        None,
        "The queue is unavailable. The run will start when it is back.",
    ),
    (Code.NO_WORKER_HAS_TASK, run(task="gone"), WaitEstimate(1), "No worker has this task. It fails after 10 minutes."),
    (
        Code.NO_WORKER_HAS_TASK,
        run(),
        WaitEstimate(1, has_task=False),
        "No worker has this task. It fails after 10 minutes.",
    ),
    (
        Code.SCHEDULED,
        run(due_at=AT, scheduled_for=AT, task="gone"),
        paused(Kind.TASK),
        "Scheduled for 2026-11-28 15:00:05 UTC",
    ),
    (Code.AFTER, run(awaited_id=812), None, "Waits for run 812"),
    (Code.RETRY, run(due_at=AT, **COLD), None, "Attempt 2, next at 15:00:05 UTC"),
    (Code.NO_WORKER, run(), WaitEstimate(0), "No worker is running. The run will start when one is available."),
    (
        Code.DRAINED,
        run(),
        WaitEstimate(0, drained=paused(Kind.WORKER).pause),
        f"All workers are drained, by {BOSS} since 2026-11-28 15:00:05 UTC. The run will start when one is resumed.",
    ),
]
LIMITED = [
    (
        Code.TASK_LIMIT,
        Blocked(Limited.TASK, 2, None),
        "Limit of 2 at once for this task: another user's run is running",
    ),
    (
        Code.KEY_LIMIT,
        Blocked(Limited.KEY, 1, 812, "text"),
        "Limit of 1 at once for text <17>: run 812 is running",
    ),
    (Code.OWNER_LIMIT, Blocked(Limited.OWNER, 3, 812), "Your limit of 3 at once: run 812 is running"),
]


@pytest.fixture
def _context(app: Flask) -> Iterator[None]:
    with app.test_request_context("/"):
        yield


@pytest.mark.usefixtures("_context")
def test_each_member_of_the_list_has_its_sentence() -> None:
    for number, (code, waiting, expected, words) in enumerate(SENTENCES):
        waiting.id = number
        said = waits.wait(waiting, expected)
        assert (said.code, waits.in_text(waiting, said)) == (code, words)
        html = str(waits.in_html(waiting, expected))
        assert BeautifulSoup(html, "html.parser").text == words
    for code, limit, words in LIMITED:
        waiting = run(parameters={"text": "<17>"})
        said = wait_of(waiting, WaitEstimate(1), has_task=True, limit=limit)
        assert (said.code, waits.in_text(waiting, said)) == (code, words)
    assert {code for code, *_rest in [*SENTENCES, *LIMITED]} == set(Code)


def test_the_description_lists_the_codes() -> None:
    assert COMMON["Wait"]["properties"]["code"] == {"enum": [code.value for code in Code]}
    documented = set(COMMON["Wait"]["properties"])
    assert documented >= {"most", "run", "of"}, "those of limits"
    for _code, waiting, expected, _words in SENTENCES:
        assert set(wait_of(waiting, expected, has_task=True).values) <= documented


def test_a_run_that_a_limit_keeps_says_so(ada: Visitor, backend: Backend) -> None:
    ada_id, program = owner_id(backend, ada.email), Program.signed_in(ada.client.application, ada.email)
    heartbeats.seen(backend.database, "worker", backend.tasks)
    caps.set_caps(backend.database, ada_id, {**dict.fromkeys(caps.NAMES), "running_runs": 1})
    held, waiting = make_run(backend, ada_id), make_run(backend, ada_id)
    assert lease.claim(backend.database, held.id, "worker")
    words = f"Your limit of 1 at once: run {held.id} is running"
    assert the(soup(ada.get(f"/runs/{waiting.id}")), f"#run-{waiting.id}-wait_estimate").text == words
    wait = program.get(f"/runs/{waiting.id}").get_json()["wait"]
    assert (wait["code"], wait["run"], wait["sentence"]) == ("owner_limit", held.id, words)


def test_pages_and_programs_say_the_same(ada: Visitor, backend: Backend) -> None:
    ada_id, program = owner_id(backend, ada.email), Program.signed_in(ada.client.application, ada.email)
    waiting = make_run(backend, ada_id)

    def said() -> dict[str, object]:
        answer = program.get(f"/runs/{waiting.id}").get_json()["wait"]
        for path in ("/runs", f"/runs/{waiting.id}"):
            words = the(soup(ada.get(path)), f"#run-{waiting.id}-wait_estimate").text
            assert words == answer["sentence"]
        return dict(answer)

    assert said()["code"] == "no_worker"
    heartbeats.seen(backend.database, "worker", backend.tasks)
    assert said() == {
        **{"code": "position", "sentence": "Next in line", "position": 1, "people": 0, "came_later": 0},
        **{"overtaken_by": [], "ahead": 0, "more": False, "seconds": [0, 0]},
    }
    pauses.pause(backend.database, Kind.WORKER, "worker", "", BOSS)
    assert (said()["code"], said()["by"]) == ("drained", BOSS)
    held = lease.claim(backend.database, waiting.id, "other")
    assert held
    assert program.get(f"/runs/{waiting.id}").get_json()["wait"] is None


@pytest.mark.usefixtures("_context")
def test_nobody_who_was_there_before_comes_ahead_again(backend: Backend) -> None:
    """A run of Ben's ends long before it was expected to, so his next one's turn comes first after all."""
    ada_id, ben = make_owner(backend), make_owner(backend, "ben@example.com")
    begun = utcnow() - timedelta(seconds=60)
    make_run(backend, ada_id, state=State.SUCCEEDED, started_at=begun, ended_at=utcnow())
    heartbeats.seen(backend.database, "worker", backend.tasks)
    make_run(backend, ben)
    make_run(backend, ben)
    claim = lease.Claim("worker", backend.tasks, backend.durations)
    held = lease.claim_next(backend.database, claim)
    assert held
    weigh(backend, ada_id, 2)
    _first, waiting = make_run(backend, ada_id), make_run(backend, ada_id)

    def people() -> tuple[int, int]:
        expected = wait_estimates(backend.database, [waiting])[waiting.id]
        return expected.people, waits.wait(waiting, expected).values["people"]

    assert people() == (0, 0)
    assert lease.succeed(backend.database, held, None)
    assert people() == (1, 0)
    make_run(backend, make_owner(backend, "late@example.com"))
    assert people() == (2, 1), "who came later is said"
