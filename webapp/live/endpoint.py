"""`/live`: authorise, then stream; and the same by asking again and again, where no socket gets through."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import flask_sock
from flask import Blueprint, Response, current_app, make_response, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import current_user

from webapp import fragments
from webapp.current import backend
from webapp.listings import from_query
from webapp.live.audience import Seat
from webapp.live.hub import Hub, TooManyPages
from webapp.live.news import News, told_until
from webapp.live.pace import Pace
from webapp.live.picture import Shown, difference, draw, shown_from
from webapp.live.socket import RESTART, SIGNED_OUT, TOO_MANY, LiveSocket

log = logging.getLogger(__name__)

bp = Blueprint("live", __name__)
flask_sock.Server = LiveSocket  # flask-sock offers no other way to choose the class of its sockets
sock = flask_sock.Sock()


@dataclass
class Told:
    """What a page has been told: what it shows, what ended until when, and whether it hears of changes at once."""

    shown: Shown | None
    until: datetime
    prompt: bool | None = None


@bp.get("/live/changes")
def changes() -> Response:
    """What has changed since the page was right, for a page that asks now and then; 401 tells it to stop."""
    if not current_user.is_authenticated:
        return make_response("", 401)
    picture = draw(backend().database, from_query(current_user.id, request.args), None)
    news = News(backend().database, current_user.id).since(told_until(request.args.get("told")))
    frame = difference(shown_from(request.args), picture) + "".join(fragments.toast(ending) for ending in news)
    return make_response(frame or ("", 204))


@sock.route("/live", bp=bp)  # type: ignore[untyped-decorator]  # flask-sock has no types
def stream(socket: LiveSocket) -> None:
    """Push to one page until it goes. Subscribing comes before the first read, so nothing falls between them."""
    if not current_user.is_authenticated:
        socket.close(SIGNED_OUT, "signed out")
        return
    owner_id, hub = int(current_user.id), cast(Hub, current_app.extensions["hub"])
    try:
        seat = hub.join(socket, from_query(owner_id, request.args), current_user.get_id(), _session_ends_at())
    except TooManyPages:
        log.info("user %d has too many live pages open", owner_id)
        socket.close(TOO_MANY, "too many pages")
        return
    opened_at = time.monotonic()
    log.info("live page of user %d opened", owner_id)
    try:
        _push(socket, hub, seat, Told(shown_from(request.args), told_until(request.args.get("told"))))
    except OSError as error:
        # The page has gone, or does not read; anything raised here would be written into the socket.
        log.debug("live page of user %d is gone: %s", owner_id, error)
    except Exception:
        log.exception("live page of user %d is sent away to come back", owner_id)
        socket.close(RESTART)
    finally:
        hub.leave(seat)
        lasted = time.monotonic() - opened_at
        log.info("live page of user %d closed after %.0f s with %d", owner_id, lasted, int(socket.close_reason))


def _push(socket: LiveSocket, hub: Hub, seat: Seat, told: Told) -> None:
    pace = Pace()
    while socket.connected:
        if hub.leaving:
            socket.close(RESTART)
            return
        if seat.signed_out:
            socket.close(SIGNED_OUT, "signed out")
            return
        if _tell(socket, seat, told, hub.prompt):
            pace.keep()  # what changes meanwhile comes in one frame
        if not socket.wait():
            return


def _tell(socket: LiveSocket, seat: Seat, told: Told, prompt: bool) -> bool:
    """Send what the page lacks, if anything; it is not held while the page waits, but gone with this call."""
    frame, told.shown = seat.audience.step(told.shown)
    if told.prompt != prompt:  # also the first time: so a page to which nothing is new knows that it is right
        told.prompt = prompt
        frame += fragments.liveness(prompt)
    if news := seat.news.since(told.until):
        told.until = news[-1].ended_at
        frame += "".join(fragments.toast(ending) for ending in news)
    if frame:
        socket.send(frame)
    return bool(frame)


def _session_ends_at() -> float:
    """When the session that opens this page ends by itself, in seconds as of time.time()."""
    lifetime = current_app.permanent_session_lifetime.total_seconds()
    interface = cast(SecureCookieSessionInterface, current_app.session_interface)
    signer = interface.get_signing_serializer(current_app)
    cookie = request.cookies.get(interface.get_cookie_name(current_app), "")
    if signer is None or not session.permanent:
        return time.time() + lifetime
    _values, signed_at = signer.loads(cookie, return_timestamp=True)
    return float(signed_at.timestamp()) + lifetime
