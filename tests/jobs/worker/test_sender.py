"""The sender of webhooks: killed at every step, with slow receivers, and started when there is something to send."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from config import ROOT
from jobs.authoring.catalog import Catalog
from jobs.runs import deliveries, lease, webhooks
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.runs.webhook import Delivery, Webhook
from jobs.worker import sender
from jobs.worker.wakeup_pipe import WakeupPipe
from tests.conftest import opened
from tests.support.people import claimed, make_owner, make_run
from tests.support.receiver import Received, Receiver, Reply, no_content, nothing
from tests.support.serving import serving
from tests.support.waiting import until

LEASE_SECONDS = 2


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def backend(tmp_path: Path, redis_url: str, empty_database: Path, receiver: Receiver) -> Iterator[Backend]:
    values = {"webhook_allow": receiver.allow, "lease_seconds": str(LEASE_SECONDS), "public_url": "https://dw.example"}
    with opened(tmp_path, redis_url, empty_database, **values) as one:
        yield one


def end_one(backend: Backend, owner_id: int) -> Run:
    run = claimed(backend, make_run(backend, owner_id))
    assert lease.succeed(backend.database, run, "dish")
    return run


def started(backend: Backend) -> "subprocess.Popen[bytes]":
    """A process that sends what is due now."""
    until(lambda: deliveries.are_due(backend.database), "a message that is due")
    settings = backend.settings
    (allowed,) = settings.webhook_allow
    environment = {
        **{"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database, "REDIS_URL": settings.redis},
        **{"LEASE_SECONDS": str(LEASE_SECONDS), "PUBLIC_URL": settings.public_url},
        "WEBHOOK_ALLOW": f"{allowed.network}:{allowed.port}",
    }
    return subprocess.Popen([sys.executable, "-m", "tests.support.sender"], cwd=ROOT, env={**os.environ, **environment})


def delivered(backend: Backend) -> list[Delivery]:
    with backend.database.read() as session:
        return list(session.scalars(select(Delivery).where(Delivery.delivered_at.is_not(None))))


def test_a_sender_killed_at_every_step_delivers_with_one_id(backend: Backend, receiver: Receiver) -> None:
    """Killed before it sends, before the answer, before it records that, and after: three times one message."""
    owner_id = make_owner(backend)
    webhook, secret = webhooks.create(backend, owner_id, receiver.url)
    run = end_one(backend, owner_id)
    process: subprocess.Popen[bytes]
    holding, release = threading.Event(), threading.Event()

    def kill() -> None:
        process.kill()
        process.wait()

    def kill_before_the_request() -> None:
        kill()
        raise ConnectionError

    def kill_before_the_answer(_received: Received) -> Reply:
        kill()
        return 204, {}

    def hold_the_webhook() -> None:
        with backend.database.write() as session:
            session.get(Webhook, webhook.id, with_for_update=True)
            holding.set()
            release.wait(60)

    def kill_before_the_record() -> None:
        kill()
        release.set()

    receiver.connected = kill_before_the_request
    process = started(backend)
    process.wait()
    assert receiver.received == []

    receiver.connected, receiver.answer = nothing, kill_before_the_answer
    process = started(backend)
    process.wait()
    assert len(receiver.received) == 1

    holder = threading.Thread(target=hold_the_webhook, daemon=True)

    def hold() -> None:
        holder.start()
        holding.wait(60)

    receiver.connected, receiver.answer, receiver.answered = hold, no_content, kill_before_the_record
    process = started(backend)
    process.wait()
    holder.join()
    assert (len(receiver.received), delivered(backend)) == (2, [])

    receiver.connected = receiver.answered = nothing
    process = started(backend)
    until(lambda: delivered(backend), "the delivery")
    kill()
    assert len({received.id for received in receiver.received}) == 1
    assert len(receiver.received) == 3
    messages = [received.verified(secret) for received in receiver.received]
    assert messages[0] == messages[1] == messages[2]
    assert messages[0]["type"] == "run.succeeded"
    assert messages[0]["data"]["url"] == f"https://dw.example/api/v1/runs/{run.id}"
    assert not deliveries.are_due(backend.database)


def test_a_slow_receiver_delays_neither_other_webhooks_nor_other_owners(backend: Backend, receiver: Receiver) -> None:
    release, wakeup, ada, ben = threading.Event(), WakeupPipe(), make_owner(backend), make_owner(backend, "ben@x.org")
    for path in ("slow", "other"):
        webhooks.create(backend, ada, f"http://127.0.0.1:{receiver.port}/{path}")
    webhooks.create(backend, ben, f"http://127.0.0.1:{receiver.port}/ben")
    receiver.answer = lambda received: (received.path == "/slow" and release.wait(60), (200, {}))[1]
    for owner_id in (ada, ada, ada, ada, ada, ada, ben):
        end_one(backend, owner_id)
    going = threading.Event()
    going.set()
    thread = threading.Thread(target=sender.send_all, args=(backend, wakeup, going.is_set), daemon=True)
    thread.start()
    until(lambda: len(delivered(backend)) == 7, "the other deliveries")
    paths = [received.path for received in receiver.received]
    assert {path: paths.count(path) for path in ("/slow", "/other", "/ben")}["/other"] == 6
    release.set()
    until(lambda: len(delivered(backend)) == 13, "the slow deliveries")
    going.clear()
    wakeup.wake()
    thread.join()


def test_the_supervisor_starts_a_sender_while_there_is_something_to_send(
    backend: Backend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process is there before, and none after; a sender that is killed is replaced."""
    monkeypatch.setattr(sender, "LINGER_SECONDS", 0.5)
    owner_id = make_owner(backend)
    _webhook, secret = webhooks.create(backend, owner_id, receiver.url)
    killed: list[int] = []

    others = set(multiprocessing.active_children())

    def children() -> list[psutil.Process]:
        (supervisor,) = set(multiprocessing.active_children()) - others
        return psutil.Process(supervisor.pid).children()

    with serving(backend.settings, Catalog({})):
        before = {one.pid for one in children()}

        def kill_once() -> None:
            if not killed:
                (found,) = [one for one in children() if one.pid not in before]
                os.kill(found.pid, signal.SIGKILL)
                killed.append(found.pid)

        receiver.connected = kill_once
        end_one(backend, owner_id)
        until(lambda: delivered(backend), "the delivery")
        until(lambda: {one.pid for one in children()} == before, "the end of the sender")
    assert killed
    assert receiver.received[-1].verified(secret)["type"] == "run.succeeded"
