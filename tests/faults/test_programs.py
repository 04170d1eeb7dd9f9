"""Programs that call the API while connections, web processes and Redis are lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from jobs.runs import events
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.browser.relay import Relay
from tests.faults.application import Application
from tests.faults.audit import begin_audit
from tests.faults.scale import scale
from tests.support.people import make_run, owner_id
from tests.support.person import Person
from tests.support.remote import AWAY, Answer, Follower, LongPoll, Remote, Stream, join
from tests.support.stack import ROOT
from tests.support.tasks import FOLDER
from tests.support.waiting import until

AT_ONCE = 100
KILLS = scale(20, 1)
CUTS = 20
PARAMETERS = {"text": "hello"}


# One application serves both tests.
pytestmark = pytest.mark.xdist_group("programs")


TASK = """
import time
from pathlib import Path
from jobs import Log, task

@task
def count_up(gate: str, log: Log) -> list[int]:
    for number in range(10):
        log(f"line {number}")
        while number == 5 and not Path(gate).exists():
            time.sleep(0.05)  # a task has no other way to wait for a file
    return list(range(10))
"""
FOLLOW = """
import sys
import time
from pathlib import Path
from dumbwaiter import Dumbwaiter

run = Dumbwaiter().run("count_up", gate=sys.argv[1])
for line in run.log(follow=True):
    print(line, flush=True)
print(run.result(timeout=120))
"""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    tasks = tmp_path_factory.mktemp("tasks")
    (tasks / "count_up.py").write_text(TASK)
    one = Application(tmp_path_factory.mktemp("programs"), WEB_CONCURRENCY="2", TASKS=f"{FOLDER}:{tasks}")
    try:
        one.stack.start()
        begin_audit(one.backend.database)
        yield one
    finally:
        one.close()


@pytest.fixture
def program(application: Application) -> Remote:
    return Remote(application.stack.port, Person(application.stack.url, f"ada{time.time_ns()}@example.com").email)


def submit(program: Remote, key: str) -> Answer:
    return program.call("POST", "/tasks/reverse_text/runs", PARAMETERS, Idempotency_Key=key)


def count(application: Application) -> int:
    with application.backend.database.read() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0


def has_more(application: Application, before: int) -> bool:
    return count(application) > before


def kill_web(application: Application) -> None:
    killed = application.web_workers()
    assert killed
    for worker in killed:
        os.kill(worker.pid, signal.SIGKILL)


def test_one_key_is_one_run_whoever_sends_it_at_once_and_whatever_dies_before_the_answer(
    application: Application, program: Remote
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _number: submit(program, "at once"), range(AT_ONCE)))
    assert sorted(answer.status for answer in answers) == [200] * (AT_ONCE - 1) + [201]
    assert len({answer.body["id"] for answer in answers}) == count(application) == 1
    accepted = [answers[0].body["id"]]
    for number in range(KILLS):
        before, key = count(application), f"kill {number}"
        application.redis.suspend()  # holds the request back between its commit and its answer
        with ThreadPoolExecutor(1) as pool:
            unanswered = pool.submit(submit, program, key)
            until(partial(has_more, application, before), "the row")
            kill_web(application)
            assert isinstance(unanswered.exception(), AWAY), "nobody was answered"
        application.redis.resume()
        again = until(partial(submitted, program, key), "an answer to the client that tries again")
        assert again
        assert again.status == 200
        accepted.append(again.body["id"])
        assert count(application) == before + 1
    assert application.all_executed_once(accepted)


def submitted(program: Remote, key: str) -> Answer | None:
    """Submit with a key, or return None while no web process is there."""
    try:
        return submit(program, key)
    except AWAY:
        return None


class Watched:
    """A run that no worker takes, because it is due much later; the test changes it."""

    def __init__(self, application: Application, email: str) -> None:
        self._backend = application.backend
        owner, due_at = owner_id(self._backend, email), utcnow() + timedelta(days=1)
        self.id = make_run(self._backend, owner, due_at=due_at).id
        self.version = 1

    def change(self, heard: bool = True, **values: object) -> None:
        """Commit the next version; unless it is `heard`, its event is lost."""
        with self._backend.database.write() as session:
            changed = update(Run).where(Run.id == self.id).values(version=Run.version + 1, **values)
            change = Change(*session.execute(changed.returning(Run.id, Run.owner_id, Run.version)).one())
        self.version = change.version
        if heard:
            events.publish(self._backend.redis, change)


def restart_web(application: Application) -> None:
    """Restart the web server as a deployment does."""
    before = {worker.pid for worker in until(application.web_workers, "web processes")}
    [master] = application.web_servers()
    os.kill(master.pid, signal.SIGTERM)
    until(lambda: (now := application.web_workers()) and not before & {one.pid for one in now}, "other web processes")


def test_who_waits_gets_every_version_through_lost_connections_restarts_and_a_flushed_redis(
    application: Application,
) -> None:
    ben = Person(application.stack.url, "ben@example.com")
    relay, run = Relay(application.stack.port), Watched(application, ben.email)
    through = Remote(relay.port, ben.email)
    waiting: list[Follower] = [LongPoll(through, run.id), Stream(through, run.id)]
    for one in waiting:
        one.start()

    def arrives(heard: bool = True) -> None:
        run.change(heard)
        for one in waiting:
            one.await_version(run.version)

    arrives()
    for number in range(CUTS):
        relay.cut()
        if number % 2:  # the change falls between two connections, or just before the cut
            run.change()
            relay.cut()
        arrives()
    kill_web(application)
    arrives()
    restart_web(application)
    arrives()
    application.backend.redis.flushall()
    arrives()
    arrives(heard=False)
    application.redis.kill()
    arrives(heard=False)
    application.redis.start()
    arrives()
    run.change(state=State.SUCCEEDED, due_at=None)
    join(*waiting)
    relay.stop()
    for one in waiting:
        versions = [version for version, _state in one.seen]
        assert versions == sorted(set(versions)), "no version comes twice, and none after a later one"
        assert one.seen[-1] == (run.version, "succeeded")
        assert one.losses >= CUTS


def test_the_client_follows_a_log_and_gets_the_result_through_a_web_restart(
    application: Application, program: Remote, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "webapp" / "api" / "client.py", tmp_path / "dumbwaiter.py")
    (tmp_path / "follow.py").write_text(FOLLOW)
    own = {"DUMBWAITER_URL": application.stack.url, "DUMBWAITER_TOKEN": program.token, "PYTHONPATH": str(tmp_path)}
    gate = tmp_path / "gate"
    follow = [sys.executable, "-S", "-P", "follow.py", str(gate)]
    with subprocess.Popen(follow, cwd=tmp_path, env=own, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout
        lines = [client.stdout.readline() for _ in range(6)]
        try:
            kill_web(application)
            restart_web(application)
        finally:
            gate.touch()  # the client, which is waited for, would otherwise never end
        rest = client.stdout.read().splitlines()
    assert [*map(str.strip, lines), *rest] == [*(f"line {number}" for number in range(10)), str(list(range(10)))]
