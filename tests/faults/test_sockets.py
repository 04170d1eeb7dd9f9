"""Live pages whose browser, network or process misbehaves: the others are unharmed, and all are right in the end."""

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection
from wsproto.events import Ping, Pong, TextMessage

from jobs.runs import events
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from tests.faults.scale import scale
from tests.support.frames import CONTINUATION, PING, TEXT, frame
from tests.support.people import make_run, owner_id
from tests.support.person import Person, receive_until, shows
from tests.support.raw_page import connect
from tests.support.stack import Stack
from tests.support.waiting import PATIENCE_SECONDS, until

LARGE = 8_000_000
ABNORMAL_CLOSURE = 1006
PAGES_OF_EACH = scale(20, 6)


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    one = stack.backend()
    yield one
    one.database.close()


def is_served(person: Person) -> None:
    """Somebody's run comes up live as ever."""
    with person.socket() as page:
        page.recv(timeout=PATIENCE_SECONDS)
        receive_until(page, shows(person.submit("reverse_text", text="unharmed"), "succeeded"))


def large_run(backend: Backend, person: Person) -> Run:
    run = make_run(backend, owner_id(backend, person.email), state=State.SUCCEEDED)
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == run.id).values(result="x" * LARGE))
    return run


def test_a_change_between_the_page_and_its_socket_is_on_the_page(ada: Person, backend: Backend) -> None:
    run = make_run(backend, owner_id(backend, ada.email), state=State.SUCCEEDED)
    for number in range(scale(500, 15)):
        (row,) = ada.get("/runs").select(f"#run-{run.id}")
        with backend.database.write() as session:
            session.execute(
                update(Run).where(Run.id == run.id).values(result=f"no. {number}.", version=Run.version + 1)
            )
        with ada.socket(f"?shown={run.id}.{row['data-version']}") as page:
            assert f"no. {number}." in str(page.recv(timeout=PATIENCE_SECONDS))


def test_events_that_are_doubled_reordered_and_made_up_lead_to_what_is_true(ada: Person, backend: Backend) -> None:
    owner = owner_id(backend, ada.email)
    with ada.socket() as page:
        page.recv(timeout=PATIENCE_SECONDS)
        for number in range(scale(100, 8)):
            for made_up in (b"", b"no JSON", b'{"run": 999999999, "version": 9}', b'{"run": 1, "version": 0}'):
                backend.redis.publish(events.channel(owner), made_up)
            run_id = ada.submit("reverse_text", text=f"{number}-")
            for version in (3, 1, 1, 2):
                backend.redis.publish(events.channel(owner), f'{{"run": {run_id}, "version": {version}}}')
            frames = receive_until(page, shows(run_id, "succeeded"))
            assert f"-{str(number)[::-1]}" in frames[-1]


def test_a_slow_reader_gets_whole_frames_with_its_pongs_between_them(ada: Person, backend: Backend) -> None:
    run = large_run(backend, ada)
    page = connect(ada, f"?run={run.id}", receive_buffer=4096)
    message, pongs, reads = "", 0, itertools.count()
    while "</article>" not in message:
        if next(reads) % 20 == 0:  # fewer than a page may send
            page.tell(Ping(b"still here"))
        for event in page.read(16384):
            assert isinstance(event, TextMessage | Pong), event
            message += event.data if isinstance(event, TextMessage) else ""
            pongs += isinstance(event, Pong)
    assert "x" * LARGE in message
    assert pongs
    page.end.close()


def test_a_peer_that_stops_reading_is_cut_off_and_nobody_else_waits(ada: Person, ben: Person, backend: Backend) -> None:
    run = large_run(backend, ada)
    page = connect(ada, f"?run={run.id}", receive_buffer=4096)
    is_served(ben)
    channel = events.channel(owner_id(backend, ada.email)).encode()
    until(lambda: channel not in backend.redis.pubsub_channels(), "the end of the page")
    assert page.close_code() == ABNORMAL_CLOSURE, "half a frame can be followed by no code"
    is_served(ada)


def test_a_page_that_fell_behind_receives_what_changed_meanwhile(ada: Person, backend: Backend) -> None:
    run = large_run(backend, ada)
    page = connect(ada, f"?run={run.id}", receive_buffer=4096)
    message = ""

    def read() -> None:
        nonlocal message
        for event in page.read():
            assert isinstance(event, TextMessage | Ping), event
            message += event.data if isinstance(event, TextMessage) else ""

    while not message:
        read()
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == run.id).values(result="meanwhile", version=Run.version + 1))
    events.publish(backend.redis, Change(run.id, run.owner_id, run.version + 1))
    while "meanwhile" not in message:
        read()
    assert "x" * LARGE in message
    page.end.close()


def test_a_flood_from_a_page_is_drained_and_not_kept(ada: Person, ben: Person, stack: Stack) -> None:
    workers = [one for one in psutil.Process(stack.process.pid).children(recursive=True) if "gunicorn" in one.cmdline()]

    def held() -> int:
        return sum(worker.memory_info().rss for worker in workers)

    page = connect(ada)
    before = held()
    one = frame(TEXT, b"x" * 60_000)
    for _ in range(1700):  # 100 MB
        page.end.sendall(one)
    is_served(ben)
    assert held() - before < 20_000_000
    page.end.close()


def test_pages_that_break_the_protocol_harm_nobody(ada: Person, ben: Person) -> None:
    with ExitStack() as pages:
        for sent in (frame(TEXT, b"\xff"), frame(TEXT, masked=False), frame(CONTINUATION), frame(PING, b"x" * 126)):
            pages.enter_context(connect(ada)).end.sendall(sent)
        is_served(ben)
        is_served(ada)


def test_many_pages_are_sent_away_by_a_new_deployment_and_come_back(tmp_path: Path) -> None:
    with Stack(tmp_path, WEB_CONCURRENCY="2") as stack, ExitStack() as pages:
        people = [Person(stack.url, f"somebody{number}@example.com") for number in range(10)]
        opened = [(person, pages.enter_context(person.socket())) for person in people for _ in range(PAGES_OF_EACH)]
        for _person, page in opened:
            page.recv(timeout=PATIENCE_SECONDS)
        is_served(Person(stack.url, "one.more@example.com"))
        children = psutil.Process(stack.process.pid).children()
        (server,) = [one for one in children if "gunicorn" in one.cmdline()]
        before = server.children()
        os.kill(server.pid, signal.SIGHUP)
        assert {close_code(page) for _person, page in opened} == {1012}
        # The old processes go one after the other; a browser that came to one that was about to go would come again.
        psutil.wait_procs(before, PATIENCE_SECONDS)
        again = [pages.enter_context(person.socket()) for person, _page in opened]
        for page in again:
            page.recv(timeout=PATIENCE_SECONDS)
        run_id = people[0].submit("reverse_text", text="after")
        for page in again[:PAGES_OF_EACH]:
            receive_until(page, shows(run_id, "succeeded"))


def close_code(page: ClientConnection) -> int:
    with pytest.raises(ConnectionClosedError) as closed:
        receive_until(page, lambda _frame: False)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code
