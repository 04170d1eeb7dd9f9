"""`/live`: authorise, then stream."""

import logging
from typing import cast

import flask_sock
from flask import Blueprint, current_app, request
from flask_login import current_user

from webapp import users
from webapp.current import backend
from webapp.listings import from_query
from webapp.live.hub import Hub, Seat
from webapp.live.picture import Picture, difference
from webapp.live.socket import RESTART, SIGNED_OUT, LiveSocket

log = logging.getLogger(__name__)

bp = Blueprint("live", __name__)
flask_sock.Server = LiveSocket  # flask-sock offers no other way to choose the class of its sockets
sock = flask_sock.Sock()

# A page that has nothing new gets this, so that it knows it is up to date.
NOTHING_NEW = '<hx-partial hx-target="#announcer" hx-swap="none"></hx-partial>'


@sock.route("/live", bp=bp)  # type: ignore[untyped-decorator]  # flask-sock has no types
def stream(socket: LiveSocket) -> None:
    """Push to one page until it goes. Subscribing comes before the first read, so nothing falls between them."""
    if not current_user.is_authenticated:
        socket.close(SIGNED_OUT, "signed out")
        return
    session_id, owner_id = current_user.get_id(), int(current_user.id)
    hub = cast(Hub, current_app.extensions["hub"])
    log.debug("live page of user %d opened: %s", owner_id, request.query_string.decode())
    seat = hub.join(socket, from_query(owner_id, request.args))
    try:
        _push(socket, hub, seat, session_id)
    except (
        OSError
    ) as error:  # the page has gone, or does not read; anything raised here would be written into the socket
        log.debug("live page of user %d is gone: %s", owner_id, error)
    except Exception:
        log.exception("live page of user %d is sent away to come back", owner_id)
        socket.close(RESTART)
    finally:
        hub.leave(seat)
        log.debug("live page of user %d closed with %s", owner_id, int(socket.close_reason))


def _push(socket: LiveSocket, hub: Hub, seat: Seat, session_id: str) -> None:
    shown: Picture | None = None
    while socket.connected:
        if hub.leaving:
            socket.close(RESTART)
            return
        if seat.check_session:
            seat.check_session = False
            if users.of_session(backend().database, session_id) is None:
                socket.close(SIGNED_OUT, "signed out")
                return
        now = seat.audience.picture()
        if frame := difference(shown, now) or (NOTHING_NEW if shown is None else ""):
            socket.send(frame)
        shown = now
        if not socket.wait():
            return
