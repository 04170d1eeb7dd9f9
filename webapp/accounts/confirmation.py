"""Confirmation: before somebody's rights, secrets or tokens are changed, the password was given lately in this session.

Whoever finds an unlocked screen, or copies a cookie, can then look and run tasks, but not stay. If the password was
given too long ago, the form that was sent is answered with a page that asks for it. That page has the form's fields,
hidden, and is sent to the same address, so that nothing has to be entered or found again.
"""

from datetime import timedelta
from http import HTTPStatus

from flask import Flask, Response, make_response, render_template, request
from flask_login import current_user

from jobs.storage import utcnow
from webapp.accounts import auth, messages, passwords, sessions, throttle, users
from webapp.current import backend

RECENT = timedelta(minutes=10)
FIELD = "confirm_password"

SENSITIVE = frozenset(
    {
        *("secrets.put", "secrets.delete", "tokens.create", "webhooks.create", "webhooks.rotate"),
        *("second_factor.begin", "second_factor.turn_on", "second_factor.turn_off", "second_factor.renew_codes"),
        *("addresses.begin", "addresses.change"),
        *("export.download", "sso.unlink", "users.invite", "users.set_role", "users.set_groups", "users.set_active"),
        *("users.reset", "user.reset_second_factor", "user.change_address", "groups.add", "admin_tasks.set_groups"),
        "retention.create",
    }
)
# These change something under /account or /admin, too. They only take away, or are undone as easily, ...
ORDINARY = frozenset(
    {
        *("sessions.end", "sessions.end_others", "tokens.revoke", "users.revoke", "users.end_sessions"),
        *("webhooks.enable", "webhooks.delete", "webhooks.send", "user.set_caps", "user.cancel", "groups.create"),
        *("groups.rename", "groups.delete", "groups.remove", "workers.drain", "workers.resume", "pauses.create"),
        *("pauses.resume", "preferences.save", "preferences.set_theme", "preferences.set_shortcuts"),
        *("admin_shares.revoke", "retention.delete"),
    }
)
# ... or ask for the password in a form of their own, each time.
ASKING = frozenset({"auth.change_password", "auth.delete_account", "sso.link"})
# Calls of the API that are tried on its page, with the rights of the session.
SENSITIVE_CALLS = frozenset({"create_webhook", "rotate_webhook"})


def init_app(app: Flask) -> None:
    app.before_request(require_confirmation)


def require_confirmation() -> Response | None:
    """Ask for the password if this request needs it and it was not given lately."""
    if request.method != "POST" or not _is_sensitive() or not current_user.is_authenticated or _is_recent():
        return None
    password = request.form.get(FIELD)
    if password is None or not current_user.password_hash:
        return _page(HTTPStatus.FORBIDDEN)
    attempt = throttle.begin_attempt(backend().database, current_user.email, auth.place())
    if attempt is None:
        auth.log.warning("confirmation refused, too many attempts: %r", current_user.email)
        return auth.retry_later(_page(HTTPStatus.TOO_MANY_REQUESTS, auth.TOO_MANY))
    if not users.with_password(backend().database, current_user.email, password[: passwords.LONGEST + 1]):
        auth.log.warning("confirmation failed: %r from %s", current_user.email, request.remote_addr)
        return _page(HTTPStatus.UNPROCESSABLE_ENTITY, messages.INCORRECT)
    throttle.clear_failures(backend().database, attempt)
    sessions.confirm(backend().database, sessions.number_of(current_user.session_id))
    return None


def _is_sensitive() -> bool:
    if request.endpoint == "docs.attempt":
        return (request.view_args or {}).get("operation_id") in SENSITIVE_CALLS
    return request.endpoint in SENSITIVE


def _is_recent() -> bool:
    return bool(utcnow() - current_user.confirmed_at < RECENT)


def _page(status: int, error: str = "") -> Response:
    """Return the page that asks for the password; for htmx, the form alone, which takes the place of the one sent."""
    name = "_confirm" if request.headers.get("HX-Request") else "confirm"
    kept = [(key, value) for key, value in request.form.items(multi=True) if key != FIELD]
    address = request.full_path.rstrip("?")
    page = render_template(
        f"accounts/{name}.html", kept=kept, address=request.script_root + address, error=error, back=auth.page_asking()
    )
    return make_response(page, status)
