"""Live: what comes up over the socket, to whom, and what closes it."""

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import Any
from urllib.error import HTTPError

import pytest
from sqlalchemy import delete, update
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection

from jobs.runs import events, lease
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.support import databases
from tests.support.people import make_run, owner_id, read
from tests.support.person import Person, receive_until, receives_nothing, shows
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS, until
from webapp.accounts import users


def close_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosedError) as closed:
        receive_until(socket, lambda _frame: False)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_a_page_gets_a_snapshot_first(ada: Person) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    with ada.socket() as socket:
        snapshot = str(socket.recv(timeout=PATIENCE_SECONDS))
    assert snapshot.startswith('<hx-partial hx-target="#runs" hx-swap="outerMorph">')
    assert f'id="run-{run_id}"' in snapshot


def test_a_run_is_pushed_in_every_state(ada: Person) -> None:
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        run_id = ada.submit("reverse_text", text="hello")
        frames = receive_until(socket, shows(run_id, "succeeded"))
    assert "olleh" in frames[-1]
    versions = [int(v) for frame in frames for v in re.findall(rf'id="run-{run_id}"[^>]*data-version="(\d+)"', frame)]
    assert versions == sorted(set(versions)), "no version comes twice or after a newer one"


def test_every_page_kind_gets_what_it_shows(ada: Person) -> None:
    with (
        ada.socket() as start,
        ada.socket("?task=reverse_text") as task,
        ada.socket("?task=factorise") as other_task,
        ada.socket("?state=succeeded") as filtered,
    ):
        for socket in (start, task, other_task, filtered):
            socket.recv(timeout=PATIENCE_SECONDS)
        run_id = ada.submit("reverse_text", text="hello")
        for socket in (start, task, filtered):
            receive_until(socket, shows(run_id, "succeeded"))
        with ada.socket(f"?run={run_id}") as own:
            (frame,) = receive_until(own, shows(run_id, "succeeded"))
            assert "<article" in frame
        (frame,) = receive_until(other_task, lambda frame: f'id="ended-{run_id}-1"' in frame)
        assert 'id="run-' not in frame, "that it has ended, and no more"
        assert receives_nothing(other_task)


def test_progress_moves_at_most_ten_times_a_second_and_ends_complete(ada: Person) -> None:
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        run_id = ada.submit("estimate_pi", samples="6000000")
        frames = receive_until(socket, shows(run_id, "succeeded"))
    running = [frame for frame in frames if shows(run_id, "running")(frame)]
    shares = [float(share) for frame in running for share in re.findall(r'<progress[^>]* value="([\d.]+)"', frame)]
    assert len(shares) >= 3
    assert shares == sorted(shares)


def test_a_stop_comes_up_at_once_and_then_the_end(stack: Stack, ada: Person) -> None:
    backend = stack.backend()
    owner_id = read(backend, Run(id=ada.submit("reverse_text", text="hello"))).owner_id
    now = utcnow()
    # No worker holds this lease, so nothing ends the run before the page has shown the stop.
    held: dict[str, Any] = {"worker": "elsewhere", "lease_token": "0" * 32, "lease_expires_at": now, "started_at": now}
    run = make_run(backend, owner_id, state=State.RUNNING, **held)
    with ada.socket() as socket:
        receive_until(socket, shows(run.id, "running"))
        assert ada.post(f"/runs/{run.id}/cancel") == f"/runs/{run.id}"
        *_, stopping = receive_until(socket, lambda frame: "Stopping…" in frame)
        assert shows(run.id, "running")(stopping)
        assert f"run {run.id}: stopping." in stopping
        change = lease.stop(backend.database, run)
        assert change is not None
        events.publish(backend.redis, change)
        *_, ended = receive_until(socket, shows(run.id, "cancelled"))
    assert "Stopped after" in ended
    assert f"run {run.id}: cancelled." in ended
    backend.database.close()


def test_a_queue_that_moves_changes_the_wait_estimate_alone(stack: Stack, ada: Person, ben: Person) -> None:
    eve = Person(stack.url, f"eve{time.time_ns()}@example.com")
    long = [ben.submit("estimate_pi", samples="10000000000") for _worker in range(2)]
    ahead = eve.submit("reverse_text", text="first")
    run_id = ada.submit("reverse_text", text="second")
    moved = f'<hx-partial hx-target="#run-{run_id}-wait_estimate" hx-swap="outerMorph">'
    try:
        with ada.socket() as socket:
            receive_until(socket, lambda frame: "1 person ahead" in frame or "2 people ahead" in frame)
            eve.post(f"/runs/{ahead}/cancel")
            *_, frame = receive_until(socket, lambda frame: frame.startswith(moved))
            assert "data-version" not in frame
            for one in long:
                ben.post(f"/runs/{one}/cancel")
            receive_until(socket, shows(run_id, "succeeded"))
    finally:
        for one in long:
            ben.post(f"/runs/{one}/cancel")


def test_a_burst_of_changes_is_a_handful_of_frames_and_ends_with_the_last(stack: Stack, ada: Person) -> None:
    backend = stack.backend()
    run = make_run(backend, owner_id(backend, ada.email), state=State.RUNNING, started_at=utcnow(), progress_note="")
    changing = update(Run).where(Run.id == run.id).returning(Run.id, Run.owner_id, Run.version)
    with ada.socket() as socket:
        receive_until(socket, shows(run.id, "running"))
        begun = time.monotonic()
        for number in range(1000):
            with backend.database.change() as connection:
                values = {"version": Run.version + 1, "progress_note": f"no. {number}."}
                row = connection.execute(changing.values(values)).one()
            events.publish_progress(backend.redis, Change(*row))
        took = time.monotonic() - begun
        frames = receive_until(socket, lambda frame: "no. 999." in frame)
    assert len(frames) <= 10 + 12 * took
    backend.database.close()


def test_nobody_else_hears_of_it(ada: Person, ben: Person) -> None:
    with ada.socket() as mine, ben.socket() as theirs:
        for socket in (mine, theirs):
            socket.recv(timeout=PATIENCE_SECONDS)
        run_id = ada.submit("reverse_text", text="private")
        receive_until(mine, shows(run_id, "succeeded"))
        assert receives_nothing(theirs)
        with ben.socket(f"?run={run_id}") as peeking:
            assert "private" not in str(peeking.recv(timeout=PATIENCE_SECONDS))


def test_without_a_session_the_socket_says_so_with_its_own_code(stack: Stack, ada: Person) -> None:
    ada.cookies.clear()
    with ada.socket() as socket:
        assert close_code(socket) == 4401


def test_a_page_of_somebody_who_signed_in_before_gets_nothing(stack: Stack, ada: Person, ben: Person) -> None:
    backend = stack.backend()
    mine, theirs = owner_id(backend, ada.email), owner_id(backend, ben.email)
    backend.database.close()
    with ada.socket(f"?owner={mine}") as page, ada.socket(f"?owner={theirs}") as page_of_another:
        page.recv(timeout=PATIENCE_SECONDS)
        assert close_code(page_of_another) == 4401
    ada.get(f"/live/changes?owner={mine}")
    with pytest.raises(HTTPError, match="401"):
        ada.get(f"/live/changes?owner={theirs}")


def test_another_sites_page_gets_no_socket(ada: Person) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        ada.socket(origin="http://evil.example")
    assert refusal.value.response.status_code == 403


def test_a_user_has_at_most_twenty_live_pages_and_the_next_one_says_so(ada: Person, ben: Person) -> None:
    with ExitStack() as pages:
        opened = [pages.enter_context(ada.socket()) for _ in range(20)]
        for socket in opened:
            socket.recv(timeout=PATIENCE_SECONDS)
        with ada.socket() as one_more:
            assert close_code(one_more) == 4429
        with ben.socket() as somebody_elses:
            somebody_elses.recv(timeout=PATIENCE_SECONDS)
        opened[0].close()
        until(lambda: _is_let_in(ada), "a place that is free again")


def _is_let_in(person: Person) -> bool:
    with person.socket() as socket, suppress(ConnectionClosedError):
        return bool(socket.recv(timeout=PATIENCE_SECONDS))
    return False


def test_a_page_that_only_asks_gets_the_same(ada: Person, ben: Person) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    ended = until(lambda: ada.get("/live/changes").select_one("[data-state=succeeded]"), "the end of the run")
    assert ended
    assert ended["id"] == f"run-{run_id}"
    assert not ada.get(f"/live/changes?shown={run_id}.{ended['data-version']}").contents
    assert not ben.get("/live/changes?shown=").contents
    ada.cookies.clear()
    with pytest.raises(HTTPError, match="401"):
        ada.get("/live/changes")


def test_a_session_that_ended_unannounced_closes_its_pages(stack: Stack, ada: Person) -> None:
    backend = stack.backend()
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        users.end_sessions(backend.database, owner_id(backend, ada.email))
        assert close_code(socket) == 4401
    backend.database.close()


def test_an_account_that_is_gone_closes_its_pages(stack: Stack, ada: Person) -> None:
    backend = stack.backend()
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        with backend.database.write() as session:
            session.execute(delete(users.Account).where(users.Account.email == ada.email))
        assert close_code(socket) == 4401
    backend.database.close()


def test_logging_out_closes_every_socket(ada: Person) -> None:
    with ada.socket() as first, ada.socket("?task=factorise") as second:
        for socket in (first, second):
            socket.recv(timeout=PATIENCE_SECONDS)
        ada.post("/logout")
        assert [close_code(first), close_code(second)] == [4401, 4401]


def test_a_new_password_closes_every_socket(ada: Person) -> None:
    with ada.socket() as first, ada.socket("?task=factorise") as second:
        for socket in (first, second):
            socket.recv(timeout=PATIENCE_SECONDS)
        ada.post("/account/password", current=PASSWORD, password="a quite different password")
        assert [close_code(first), close_code(second)] == [4401, 4401]
    with ada.socket() as with_the_new_session:
        with_the_new_session.recv(timeout=PATIENCE_SECONDS)


def test_disabling_an_account_closes_every_socket(stack: Stack, ada: Person) -> None:
    environment = {**os.environ, "DATA_DIR": str(stack.data_dir), "DATABASE_URL": databases.url_of(stack.data_dir)}
    with ada.socket() as first, ada.socket("?task=factorise") as second:
        for socket in (first, second):
            socket.recv(timeout=PATIENCE_SECONDS)
        subprocess.run([sys.executable, "-m", "flask", "admin", "disable", ada.email], env=environment, check=True)
        assert [close_code(first), close_code(second)] == [4401, 4401]


def test_what_a_page_sends_is_dropped_and_limited(ada: Person) -> None:
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        for _ in range(50):
            socket.send("x" * 1000)
        run_id = ada.submit("reverse_text", text="still here")
        receive_until(socket, shows(run_id, "succeeded"))
        socket.send("x" * 70_000)
        assert close_code(socket) == 1009


def test_the_periodic_check_makes_up_for_a_lost_event(stack: Stack, ada: Person) -> None:
    backend = stack.backend()
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        run_id = ada.submit("reverse_text", text="hello")
        receive_until(socket, shows(run_id, "succeeded"))
        with backend.database.write() as session:
            run = session.get_one(Run, run_id)
            run.result, run.version = "changed without an event", run.version + 1
        begun = time.monotonic()
        receive_until(socket, lambda frame: "changed without an event" in frame)
        assert time.monotonic() - begun < PATIENCE_SECONDS
    backend.database.engine.dispose()


def test_redis_forgets_a_page_that_is_gone(stack: Stack, ada: Person) -> None:
    redis = stack.backend().redis

    def channels() -> int:
        return len(redis.pubsub_channels("dumbwaiter:owner:*"))

    before = channels()
    with ada.socket() as one, ada.socket() as two:
        one.recv(timeout=PATIENCE_SECONDS)
        two.recv(timeout=PATIENCE_SECONDS)
        assert channels() == before + 1, "two pages of one user share a channel"
    until(lambda: channels() <= before, "the end of the subscription")
