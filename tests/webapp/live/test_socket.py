"""The socket itself: it asks whether its page still answers, and closes so that the page comes back."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from select import select

import gevent
import pytest
from flask import Flask
from gevent.event import Event
from gevent.socket import socket, socketpair
from wsproto.events import CloseConnection, Ping, Pong, TextMessage
from wsproto.events import Event as Heard

from jobs.runs.backend import Backend
from tests.support.frames import BINARY, PING, PONG, frame
from tests.support.people import make_owner
from tests.support.raw_page import RawPage
from tests.support.waiting import PATIENCE_SECONDS, until
from webapp.accounts import sessions, users
from webapp.accounts.users import Account
from webapp.live.hub import Hub, TooManyPages
from webapp.live.open_pages import OpenPages
from webapp.live.socket import MESSAGES_AT_ONCE, RESTART, TOO_MANY, LiveSocket, framed
from webapp.live.subscribers import OpenPage, SentState
from webapp.rendering.listings import Listing

LARGE = 8_000_000

HANDSHAKE = {
    "HTTP_HOST": "localhost",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate",
    "PATH_INFO": "/live",
}


@pytest.fixture
def ends() -> Iterator[tuple[LiveSocket, socket]]:
    """A server's socket, and the page's end of its connection; the server does its part while the page waits."""
    ours, theirs = socketpair()
    theirs.settimeout(PATIENCE_SECONDS)
    yield LiveSocket({**HANDSHAKE, "werkzeug.socket": ours}), theirs
    theirs.close()


def soon(condition: Callable[[], bool], what: str) -> None:
    """Wait for what happens in this thread's greenlets."""

    def holds() -> bool:
        gevent.sleep(0.001)  # without a time it may be fifty looks before the loop asks what has come
        return condition()

    until(holds, what)


def has_read(live: LiveSocket) -> bool:
    """Return whether the server has received everything that the page has sent."""
    readable, _, _ = select([live.sock], [], [], 0)
    return not readable


def test_a_page_that_does_not_answer_is_sent_away_to_come_back(ends: tuple[LiveSocket, socket]) -> None:
    live, end = ends
    page, over = RawPage(end), Event()
    live.set_callbacks(lambda: None, over.set)
    live.ping()
    assert [type(event) for event in page.read()] == [Ping, TextMessage]
    live.ping()
    (close,) = page.read()
    assert isinstance(close, CloseConnection)
    assert close.code == RESTART
    assert over.wait(PATIENCE_SECONDS), "its open_page is free"


def test_a_page_that_answers_stays(ends: tuple[LiveSocket, socket]) -> None:
    live, end = ends
    page = RawPage(end)
    for _ in range(4):
        live.ping()
        ping, heartbeat = page.read()
        assert isinstance(ping, Ping)
        assert heartbeat == TextMessage("")
        page.tell(ping.response())
        soon(lambda: live.pong_received, "its answer")
    assert live.connected


def test_what_looks_like_an_answer_within_a_message_is_none(ends: tuple[LiveSocket, socket]) -> None:
    live, end = ends
    page, answer = RawPage(end), frame(PONG)
    live.ping()
    page.read()
    end.sendall(frame(PING) + bytes((0x80 | BINARY, 0x80 | len(answer), 0, 0, 0, 0)))
    assert [type(event) for event in page.read()] == [Pong]
    end.sendall(answer)
    soon(lambda: has_read(live), "the message")
    assert not live.pong_received
    end.sendall(answer)
    soon(lambda: live.pong_received, "the answer")


def test_an_answer_is_one_however_its_bytes_are_chopped(ends: tuple[LiveSocket, socket]) -> None:
    live, end = ends
    page, answer = RawPage(end), frame(PONG)
    for cut in range(1, len(answer)):
        live.ping()
        page.read()
        end.sendall(answer[:cut])
        soon(lambda: has_read(live), "its first part")
        assert not live.pong_received
        end.sendall(answer[cut:])
        soon(lambda: live.pong_received, "its second part")


def test_what_is_sent_to_a_page_that_is_behind_waits_in_its_turn(ends: tuple[LiveSocket, socket]) -> None:
    live, end = ends
    page, ready = RawPage(end), Event()
    live.set_callbacks(ready.set, lambda: None)
    live.push(framed("x" * LARGE))
    assert not live.ready, "nobody has read it yet"
    live.push(framed("and then this"))
    live.close(RESTART)
    said, closes = "", list[Heard]()
    while not closes:
        for event in page.read():
            said += event.data if isinstance(event, TextMessage) else ""
            closes += [event] if isinstance(event, CloseConnection) else []
    assert said == "x" * LARGE + "and then this"


def test_a_page_that_has_caught_up_is_told_of(ends: tuple[LiveSocket, socket]) -> None:
    live, end = ends
    page, ready = RawPage(end), Event()
    live.set_callbacks(ready.set, lambda: None)
    live.push(framed("x" * LARGE))
    while not ready.is_set():
        page.read()
    assert live.ready


def test_compression_is_not_agreed_to(ends: tuple[LiveSocket, socket]) -> None:
    _live, end = ends
    assert b" 101 " in (head := RawPage(end).head)
    assert b"deflate" not in head


def test_a_page_is_signed_out_when_its_session_expires(
    ends: tuple[LiveSocket, socket], backend: Backend, owner: int
) -> None:
    open_pages, live, number = OpenPages(), ends[0], begin(backend, owner)
    lasting, over = open_page(live, number), open_page(live, number, ends_at=time.time())
    open_pages.add(lasting)
    assert not open_pages.signed_out(backend.database)
    open_pages.add(over)
    assert open_pages.signed_out(backend.database) == [over]
    assert open_pages.signed_out(backend.database) == [over], "it is here still"
    open_pages.remove(over)
    assert not open_pages.signed_out(backend.database)


def test_every_page_of_a_session_is_signed_out_when_it_was_ended(
    ends: tuple[LiveSocket, socket], backend: Backend, owner: int
) -> None:
    open_pages, live = OpenPages(), ends[0]
    ended, other = begin(backend, owner), begin(backend, owner)
    gone, one, another, kept = (open_page(live, number) for number in (ended, ended, ended, other))
    for taken in (gone, one, another, kept):
        open_pages.add(taken)
    open_pages.remove(gone)
    sessions.end(backend.database, owner, ended)
    assert set(open_pages.signed_out(backend.database)) == {one, another}
    users.end_sessions(backend.database, owner)
    assert set(open_pages.signed_out(backend.database)) == {one, another, kept}


def begin(backend: Backend, owner: int) -> int:
    """Begin a session and return its number."""
    with backend.database.read() as session:
        user = session.get(Account, owner)
    assert user
    return sessions.number_of(sessions.begin(backend.database, user))


def open_page(live: LiveSocket, number: int, ends_at: float = math.inf) -> OpenPage:
    return OpenPage(live, number, ends_at, SentState(None, datetime.now(UTC)))


@pytest.fixture
def owner(backend: Backend) -> int:
    return make_owner(backend, "ada@example.com")


@pytest.fixture
def hub(app: Flask, backend: Backend) -> Iterator[Hub]:
    one = Hub(app, backend)
    yield one
    one.end()
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"live"}), "it leaves no thread behind"


def test_no_more_pages_are_let_in_than_a_process_is_to_hold(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.live.hub.MOST_PAGES_OF_ALL", 2)

    def join(owner_id: int) -> RawPage:
        ours, theirs = socketpair()
        theirs.settimeout(PATIENCE_SECONDS)
        live = LiveSocket({**HANDSHAKE, "werkzeug.socket": ours})
        hub.join(open_page(live, owner_id), Listing(owner_id))
        return RawPage(theirs)

    page = join(1)
    join(2)
    with pytest.raises(TooManyPages):
        join(3)
    page.end.close()

    def is_let_in() -> bool:
        with suppress(TooManyPages):
            join(3)
            return True
        return False

    soon(is_let_in, "a place that is free again")


@pytest.mark.parametrize("opcode", [PING, PONG, BINARY])
def test_a_page_that_sends_too_many_messages_is_sent_away(ends: tuple[LiveSocket, socket], opcode: int) -> None:
    live, end = ends
    over = Event()
    live.set_callbacks(lambda: None, over.set)
    end.sendall(frame(opcode, b"a") * MESSAGES_AT_ONCE)
    soon(lambda: has_read(live), "the first messages")
    assert live.connected
    end.sendall(frame(opcode, b"a") * 100)
    soon(over.is_set, "the end")
    assert live.close_reason == TOO_MANY
