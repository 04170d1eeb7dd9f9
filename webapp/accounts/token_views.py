"""Views for creating and revoking API tokens."""

from datetime import timedelta

from flask import Blueprint, make_response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import events
from webapp import rights
from webapp.accounts import messages, tokens
from webapp.accounts.account_views import account_page
from webapp.accounts.tokens import Grant, TooManyTokens
from webapp.current import backend

bp = Blueprint("tokens", __name__)


@bp.post("/account/tokens")
def create() -> Response:
    """Create a token. Its secret is in the response to this form and nowhere else."""
    name = request.form.get("name", "").replace("\x00", "").strip()
    scopes = tuple(scope for scope in tokens.SCOPES if scope in request.form.getlist("scope"))
    tasks = tuple(task for task in request.form.getlist("task") if task in rights.visible())
    errors = {
        "token_name": "" if 0 < len(name) <= tokens.LONGEST_NAME else messages.NAME_MISSING,
        "token_scopes": "" if scopes else messages.NO_SCOPES,
    }
    if any(errors.values()):
        return make_response(account_page(errors), 422)
    grant = Grant(name, scopes, tasks, _lifetime(request.form.get("days", "")))
    try:
        _token, secret = tokens.create(backend().database, current_user.id, grant)
    except TooManyTokens:
        return make_response(
            account_page({"token_name": messages.TOO_MANY_TOKENS.format(most=tokens.MOST_TOKENS)}), 422
        )
    return make_response(account_page(new_token=secret))


@bp.post("/account/tokens/<row:token_id>/revoke")
def revoke(token_id: int) -> Response:
    """Revoke a token and end the requests that wait with it."""
    tokens.revoke(backend().database, current_user.id, token_id)
    events.publish_sign_out(backend().redis, current_user.id)
    return redirect(url_for("auth.account", _anchor="tokens"), 303)


def _lifetime(days: str) -> timedelta | None:
    return timedelta(days=int(days)) if days in tokens.LIFETIMES and days != "0" else None
