"""`/live`: authorise, then open_page; and the same by asking again and again, where no socket gets through."""

import logging
import time
from typing import cast

import flask_sock
from flask import Blueprint, Response, current_app, make_response, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import current_user

from webapp.current import backend
from webapp.live.hub import Hub, TooManyPages
from webapp.live.snapshot import difference, draw, shown_from
from webapp.live.socket import RESTART, SIGNED_OUT, TOO_MANY, LiveSocket
from webapp.live.subscribers import OpenPage, Told
from webapp.live.toasts import Toasts, since, told_until
from webapp.rendering import fragments
from webapp.rendering.listings import from_query

log = logging.getLogger(__name__)

bp = Blueprint("live", __name__)
flask_sock.Server = LiveSocket  # flask-sock offers no other way to choose the class of its sockets
sock = flask_sock.Sock()


@bp.get("/live/changes")
def changes() -> Response:
    """What has changed since the page was right, for a page that asks now and then; 401 tells it to stop."""
    if not _is_owner():
        return make_response("", 401)
    snapshot = draw(backend().database, from_query(current_user.id, request.args), None)
    news = since(told_until(request.args.get("told")), Toasts(backend().database, current_user.id).endings())
    frame = difference(shown_from(request.args), snapshot) + "".join(fragments.toast(ending) for ending in news)
    return make_response(frame or ("", 204))


@sock.route("/live", bp=bp)  # type: ignore[untyped-decorator]  # flask-sock has no types
def stream(socket: LiveSocket) -> None:
    """OpenPage one page, which stays when this returns."""
    if not _is_owner():
        socket.close(SIGNED_OUT, "signed out")
        return
    owner_id, hub = int(current_user.id), cast(Hub, current_app.extensions["hub"])
    told = Told(shown_from(request.args), told_until(request.args.get("told")))
    try:
        hub.join(OpenPage(socket, current_user.get_id(), _session_ends_at(), told), from_query(owner_id, request.args))
    except TooManyPages:
        log.info("user %d has too many live pages open", owner_id)
        socket.close(TOO_MANY, "too many pages")
    except Exception:  # anything raised here would be written into the socket
        log.exception("live page of user %d is sent away to come back", owner_id)
        socket.close(RESTART)


def _is_owner() -> bool:
    """Whether the page's owner is signed in: since it was loaded, somebody else may be, in the same browser."""
    return current_user.is_authenticated and request.args.get("owner") in (None, str(current_user.id))


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
