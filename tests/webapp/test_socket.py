"""The socket itself: it asks whether its page still answers, and closes so that the page comes back."""

import math
import socket
from collections.abc import Iterator

import pytest
from wsproto.events import CloseConnection, Ping

from jobs import Backend, Listing
from tests.raw_page import RawPage
from tests.waiting import PATIENCE_SECONDS
from webapp.live.hub import Hub, TooManyPages
from webapp.live.socket import RESTART, LiveSocket

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
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LiveSocket, socket.socket]]:
    """A server's socket that asks several times a second, and the page's end of its connection."""
    monkeypatch.setattr("webapp.live.socket.PING_SECONDS", 0.3)
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE_SECONDS)
    yield LiveSocket({**HANDSHAKE, "werkzeug.socket": ours}), theirs
    theirs.close()
    ours.close()


def test_a_page_that_does_not_answer_is_sent_away_to_come_back(ends: tuple[LiveSocket, socket.socket]) -> None:
    live, end = ends
    page = RawPage(end)
    events = [*page.read(), *page.read()]
    assert [type(event) for event in events] == [Ping, CloseConnection]
    assert isinstance(events[1], CloseConnection)
    assert events[1].code == RESTART
    assert not live.wait(), "its handler hears of it"


def test_a_page_that_answers_stays(ends: tuple[LiveSocket, socket.socket]) -> None:
    live, end = ends
    page = RawPage(end)
    for _ in range(4):
        (ping,) = page.read()
        assert isinstance(ping, Ping)
        page.tell(ping.response())
    assert live.connected


def test_compression_is_not_agreed_to(ends: tuple[LiveSocket, socket.socket]) -> None:
    _live, end = ends
    assert b" 101 " in (head := RawPage(end).head)
    assert b"deflate" not in head


def test_requests_still_get_in_when_all_pages_that_may_be_open_are(
    backend: Backend, ends: tuple[LiveSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.hub.MOST_PAGES_OF_ALL", 2)
    live, _end = ends
    hub = Hub(backend)
    seats = [hub.join(live, Listing(owner_id), f"{owner_id}.1", math.inf) for owner_id in (1, 2)]
    with pytest.raises(TooManyPages):
        hub.join(live, Listing(3), "3.1", math.inf)
    hub.leave(seats[0])
    hub.leave(hub.join(live, Listing(3), "3.1", math.inf))
    hub.leave(seats[1])
