"""The `/live` WebSocket, and `/live/changes`, its polling fallback for networks that block WebSockets."""

import logging
import time
from dataclasses import replace
from typing import cast

import flask_sock
from flask import Blueprint, Response, current_app, make_response, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import current_user

from jobs.storage import AWAY
from webapp import rights
from webapp.accounts.second_factor_views import must_set_up
from webapp.accounts.sessions import number_of
from webapp.connections import place_of
from webapp.current import backend
from webapp.live.hub import Hub, TooManyPages
from webapp.live.snapshot import client_state_from, difference, take_snapshot
from webapp.live.socket import OTHER_RIGHTS, RESTART, SIGNED_OUT, TOO_MANY, LiveSocket
from webapp.live.subscribers import OpenPage, SentState
from webapp.live.toasts import Toasts, ended_after, moment_in
from webapp.rendering import fragments
from webapp.rendering.failures import may_see_code
from webapp.rendering.listings import Listing, from_query, of_run

log = logging.getLogger(__name__)

bp = Blueprint("live", __name__)
flask_sock.Server = LiveSocket  # flask-sock offers no other way to choose the class of its sockets
sock = flask_sock.Sock()


@bp.get("/live/changes")
def changes() -> Response:
    """Return the changes since the state that a polling page shows; 204 if there are none.

    401 ends polling, and 205 has the page load itself again, because its owner has other rights.
    """
    if not _is_owner():
        return make_response("", 401)
    listing = _listing()
    if _rights() not in ("", rights.mark()) or _has_lost(listing):
        return make_response("", 205)
    snapshot = take_snapshot(backend().database, listing, None)
    since = moment_in(request.args.get("since"))
    endings = ended_after(since, Toasts(backend().database, current_user.id).endings(since))
    frame = difference(client_state_from(request.args), snapshot) + "".join(
        fragments.toast(ending) for ending in endings
    )
    return make_response(frame or ("", 204))


@sock.route("/live", bp=bp)  # type: ignore[untyped-decorator]  # flask-sock has no types
def stream(socket: LiveSocket) -> None:
    """Authorise and register an open page; the connection outlives this handler.

    The connection is open already, so an error must close it. Otherwise the page would wait on a connection that
    nobody serves.
    """
    try:
        _admit(socket)
    except TooManyPages:
        log.info("user %s has too many open live pages", current_user.id)
        socket.close(TOO_MANY, "too many pages")
    except AWAY as error:
        log.warning("closing a live page so that it reconnects: the database is away (%s)", error)
        socket.close(RESTART)
    except Exception:
        log.exception("closing a live page so that it reconnects")
        socket.close(RESTART)


def _admit(socket: LiveSocket) -> None:
    if not _is_owner():
        socket.close(SIGNED_OUT, "signed out")
        return
    hub = cast(Hub, current_app.extensions["hub"])
    sent = SentState(client_state_from(request.args), moment_in(request.args.get("since")))
    listing = replace(_listing(), url_prefix=request.script_root)
    if _has_lost(listing):
        socket.close(OTHER_RIGHTS, "other rights")
        return
    place = place_of(request.remote_addr)
    session_number, ends_at, made_with = number_of(current_user.session_id), _session_ends_at(), _rights()
    hub.join(OpenPage(socket, session_number, ends_at, sent, place, made_with, int(current_user.id)), listing)


def _listing() -> Listing:
    """Return the runs that the page shows. Of somebody else's run it shows as much as its owner shares."""
    listing = from_query(int(current_user.id), request.args)
    access = rights.access(listing.run_id) if listing.run_id else None
    if access is None or listing.run_id is None:
        return replace(listing, code=may_see_code(current_user))
    return of_run(access, listing.run_id, listing.output, may_see_code(current_user))


def _has_lost(listing: Listing) -> bool:
    """Return whether the page was made with another access to its run than there is now."""
    return request.args.get("parts", "") != listing.access.mark


def _is_owner() -> bool:
    """Return whether the page's owner is signed in, and not led to turn two-factor sign-in on.

    Another user may have signed in with the same browser since the page was loaded.
    """
    is_owner = current_user.is_authenticated and request.args.get("owner") in (None, str(current_user.id))
    return is_owner and not must_set_up()


def _rights() -> str:
    """Return the mark of the rights that the page was made with."""
    return request.args.get("rights", "")[: rights.MARK_LENGTH]


def _session_ends_at() -> float:
    """Return when the session that opens this page expires, as a time.time() timestamp."""
    lifetime = current_app.permanent_session_lifetime.total_seconds()
    interface = cast(SecureCookieSessionInterface, current_app.session_interface)
    signer = interface.get_signing_serializer(current_app)
    cookie = request.cookies.get(interface.get_cookie_name(current_app), "")
    if signer is None or not session.permanent:
        return time.time() + lifetime
    _values, signed_at = signer.loads(cookie, return_timestamp=True)
    return float(signed_at.timestamp()) + lifetime
