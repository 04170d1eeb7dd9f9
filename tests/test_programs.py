"""Programs and the running application: it holds the connections of those that wait without a greenlet for each."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import timedelta

import psutil
import pytest
from sqlalchemy import delete, update

from jobs.runs import events
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.run import Run
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.person import Person
from tests.support.remote import LongPoll, Remote, Stream, join
from tests.support.stack import Stack
from tests.support.waiting import until
from webapp.accounts import users
from webapp.accounts.tokens import Token

# More than the connections to the database that the web process may have.
MANY = 60
END = b"\r\n\r\n"


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    one = stack.backend()
    yield one
    one.database.close()


@pytest.fixture
def program(stack: Stack, ada: Person) -> Remote:
    return Remote(stack.port, ada.email)


@pytest.fixture
def run_id(backend: Backend, ada: Person) -> int:
    """A run of hers that waits, because it is due much later."""
    return make_run(backend, owner_id(backend, ada.email), due_at=utcnow() + timedelta(days=1)).id


def send(program: Remote, run_id: int, query: str = "", method: str = "GET", **headers: str) -> socket.socket:
    """Send a request and return the connection, on which the answer will come."""
    lines = [f"{method} /api/v1/runs/{run_id}{query} HTTP/1.1", "Host: localhost", "Connection: close"]
    named = {"Authorization": f"Bearer {program.token}", **headers}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    connection = socket.create_connection(("127.0.0.1", program.port), timeout=60)
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def received(connection: socket.socket) -> bytes:
    """Return everything up to the end of the connection."""
    with closing(connection), connection.makefile("rb") as stream:
        return stream.read()


def holds(stack: Stack, connection: socket.socket) -> bool:
    """Return whether a process of the application still has its end of a connection."""
    family = psutil.Process(stack.process.pid).children(recursive=True)
    port = connection.getsockname()[1]
    with suppress(psutil.NoSuchProcess):
        return any(one.raddr and one.raddr.port == port for process in family for one in process.net_connections("tcp"))
    return True


def test_many_wait_while_others_are_served_and_all_hear_of_the_end(program: Remote, run_id: int) -> None:
    with ExitStack() as stack:
        polls = [stack.enter_context(send(program, run_id, "?wait=60&version=1")) for _ in range(MANY)]
        streams = [stack.enter_context(send(program, run_id, Accept="text/event-stream")) for _ in range(MANY)]
        assert program.call("GET", f"/runs/{run_id}?wait=1&version=1").body["state"] == "queued"
        assert program.call("POST", f"/runs/{run_id}/cancel").status == 200
        for poll in polls:
            head, _, body = received(poll).partition(END)
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert f"Content-Length: {len(body)}".encode() in head
            assert b'"state":"cancelled"' in body
        for stream in streams:
            head, _, body = received(stream).partition(END)
            assert b"Content-Type: text/event-stream" in head
            assert b"Content-Security-Policy" in head
            assert body.startswith(b"retry: 1000\n\nid: ")
            assert body.count(b"\nid: 2\nevent: run\n") == 1


def test_a_wait_is_over_in_time(program: Remote, run_id: int) -> None:
    begun = time.monotonic()
    assert program.call("GET", f"/runs/{run_id}?wait=1&version=1").body["version"] == 1
    assert 1 <= time.monotonic() - begun < 30
    head, _, body = received(send(program, run_id, "?wait=1&version=1", method="HEAD")).partition(END)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b""


@pytest.mark.parametrize("ending", ["revoked", "expired", "disabled"])
def test_who_may_no_longer_wait_is_told_at_once_though_no_event_says_so(
    backend: Backend, ada: Person, program: Remote, run_id: int, ending: str
) -> None:
    poll = send(program, run_id, "?wait=60&version=1")
    stream = send(program, run_id, Accept="text/event-stream", Last_Event_ID="1")
    assert stream.recv(15) == b"HTTP/1.1 200 OK"  # so the request before it waits, too
    mine = Token.owner_id == owner_id(backend, ada.email)
    past = utcnow() - timedelta(seconds=1)
    if ending == "disabled":
        users.set_active(backend.database, ada.email, False)
    else:
        with backend.database.write() as session:
            session.execute(
                delete(Token).where(mine) if ending == "revoked" else update(Token).where(mine).values(expires_at=past)
            )
    begun = time.monotonic()
    head, _, body = received(poll).partition(END)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"WWW-Authenticate: Bearer" in head
    assert program.token.encode() not in body
    assert b"event: run" not in received(stream)
    assert time.monotonic() - begun < 30, "long before the wait is over"


def test_a_client_that_leaves_is_forgotten(stack: Stack, program: Remote, run_id: int) -> None:
    waiting = [send(program, run_id, "?wait=60&version=1"), send(program, run_id, Accept="text/event-stream")]
    until(lambda: all(holds(stack, one) for one in waiting), "the connections")
    for one in waiting:
        one.shutdown(socket.SHUT_RDWR)
    until(lambda: not any(holds(stack, one) for one in waiting), "their end")
    for one in waiting:
        one.close()


def test_both_ways_of_waiting_end_with_a_run_that_is_executed(stack: Stack, program: Remote) -> None:
    run_id = program.submit("estimate_pi", samples=300_000)
    followers = LongPoll(program, run_id), Stream(program, run_id)
    for one in followers:
        one.start()
    join(*followers)
    assert {one.seen[-1][1] for one in followers} == {"succeeded"}
    assert followers[0].seen[-1] == followers[1].seen[-1]
    assert program.token not in stack.output


def test_who_waits_for_a_run_that_is_deleted_is_told(backend: Backend, program: Remote, run_id: int) -> None:
    poll = send(program, run_id, "?wait=60&version=1")
    assert send(program, run_id, Accept="text/event-stream").recv(15) == b"HTTP/1.1 200 OK"
    with backend.database.write() as session:
        deleted = session.execute(delete(Run).where(Run.id == run_id).returning(Run.id, Run.owner_id, Run.version))
        change = Change(*deleted.one())
    events.publish(backend.redis, change)
    assert received(poll).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("length", [b"Content-Length: 10000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize(("token", "status"), [("", b"413"), ("wrong", b"401")])
def test_a_program_reads_why_its_large_body_is_refused(
    stack: Stack, ada: Person, length: bytes, token: str, status: bytes
) -> None:
    """As urllib does: send everything, then read."""
    token = token or Remote(stack.port, ada.email).token
    body = b"[" + b"1," * 4_999_999 + b"1"
    sent = [b"%x" % len(body), body, b"0", b"", b""] if length.startswith(b"T") else [body]
    head = [b"POST /api/v1/tasks/reverse_text/runs HTTP/1.1", b"Host: localhost", b"Content-Type: application/json"]
    head += [length, f"Authorization: Bearer {token}".encode(), b"Connection: close"]
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        connection.sendall(b"\r\n".join([*head, b"", b"\r\n".join(sent)]))
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"application/problem+json" in answer
