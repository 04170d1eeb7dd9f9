"""Views for ending sessions."""

from flask import Blueprint, abort, redirect, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import events
from webapp.accounts import sessions, users
from webapp.accounts.auth import log_in
from webapp.current import backend

bp = Blueprint("sessions", __name__)


@bp.post("/account/sessions/<row:number>/end")
def end(number: int) -> Response:
    """End one of the user's sessions, on all of its open pages too."""
    sessions.end(backend().database, current_user.id, number)
    events.publish_sign_out(backend().redis, current_user.id)
    return redirect(url_for("auth.account", _anchor="sessions"), 303)


@bp.post("/account/sessions/end")
def end_others() -> Response:
    """End all of the user's sessions but this one."""
    confirmed_at = current_user.confirmed_at
    user = users.end_sessions(backend().database, current_user.id) or abort(404)
    events.publish_sign_out(backend().redis, user.id)
    return log_in(user, url_for("auth.account", _anchor="sessions"), confirmed_at)
