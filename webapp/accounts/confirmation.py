"""Confirmation: before somebody's rights, secrets or tokens are changed, they have lately shown again who they are.

Whoever finds an unlocked screen, or copies a cookie, can then look and run tasks, but not stay. It takes all that a
login takes: the password, or for an account without one another sign-in at the provider, and a code where two-factor
sign-in is on. If that was too long ago, the form that was sent is answered with a page that asks for it. That page has
the form's fields, hidden, and is sent to the same address, so that nothing has to be entered or found again.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus

from flask import Flask, Response, make_response, render_template, request
from flask_login import current_user

from jobs.storage import utcnow
from webapp.accounts import auth, flows, messages, passwords, second_factors, sessions, throttle, users
from webapp.current import backend

RECENT = timedelta(minutes=10)
Check = Callable[[str], Response | None]

PASSWORD, CODE = "confirm_password", "confirm_code"

SENSITIVE = frozenset(
    {
        *("secrets.put", "secrets.delete", "tokens.create", "webhooks.create", "webhooks.rotate"),
        *("second_factor.begin", "second_factor.turn_on", "second_factor.turn_off", "second_factor.renew_codes"),
        *("addresses.begin", "addresses.change", "sessions.end", "sessions.end_others"),
        *("export.download", "sso.unlink", "users.invite", "users.set_role", "users.set_groups", "users.set_active"),
        *("users.reset", "user.reset_second_factor", "user.change_address", "groups.add", "admin_tasks.set_groups"),
        "retention.create",
    }
)
# These change something under /account or /admin, too. They only take away, or are undone as easily, ...
ORDINARY = frozenset(
    {
        *("tokens.revoke", "users.revoke", "users.end_sessions"),
        *("webhooks.enable", "webhooks.delete", "webhooks.send", "user.set_caps", "user.cancel", "groups.create"),
        *("groups.rename", "groups.delete", "groups.remove", "workers.drain", "workers.resume", "pauses.create"),
        *("pauses.resume", "preferences.save", "preferences.set_theme", "preferences.set_shortcuts"),
        *("admin_shares.revoke", "retention.delete", "space.delete_upload"),
    }
)
# ... or ask for the password in a form of their own, each time. A code is asked for as for the first ones.
ASKING = frozenset({"auth.change_password", "auth.delete_account", "sso.link"})
# Calls of the API that are tried on its page, with the rights of the session.
SENSITIVE_CALLS = frozenset({"create_webhook", "rotate_webhook"})


def init_app(app: Flask) -> None:
    app.before_request(require_confirmation)


def require_confirmation() -> Response | None:
    """Ask who sends this request to show again who they are, if it needs that and it was not done lately."""
    if request.method != "POST" or not current_user.is_authenticated or not _is_sensitive() or _is_recent():
        return None
    checks: list[tuple[str, Check]] = [(PASSWORD, _checked_password)] if current_user.password_hash else []
    checks += [(CODE, _checked_code)] if current_user.has_second_factor else []
    if must_ask_provider() or any(field not in request.form for field, _check in checks):
        return _page(HTTPStatus.FORBIDDEN)
    for field, check in checks:
        if refused := check(request.form[field]):
            return refused
    sessions.confirm(backend().database, sessions.number_of(current_user.session_id))
    return None


def must_ask_provider() -> bool:
    """Return whether the user has no password, and has not signed in again at the provider lately."""
    return not current_user.password_hash and not flows.is_confirmed()


def _checked_password(password: str) -> Response | None:
    attempt = throttle.begin_attempt(backend().database, current_user.email, auth.place())
    if attempt is None:
        return _refused(PASSWORD)
    if not users.with_password(backend().database, current_user.email, password[: passwords.LONGEST + 1]):
        return _refused(PASSWORD, messages.INCORRECT)
    throttle.clear_failures(backend().database, attempt)
    return None


def _checked_code(code: str) -> Response | None:
    attempt = throttle.begin_code_attempt(backend().database, current_user, auth.place())
    if attempt is None:
        return _refused(CODE)
    if not second_factors.accepts(backend(), current_user, code):
        return _refused(CODE, messages.WRONG_CODE)
    throttle.clear_failures(backend().database, attempt)
    return None


def _refused(field: str, message: str = "") -> Response:
    """Return the page again with what is wrong; without a message, that there were too many attempts."""
    if message:
        auth.log.warning("confirmation failed: %r from %s", current_user.email, request.remote_addr)
        return _page(HTTPStatus.UNPROCESSABLE_ENTITY, {field: message})
    auth.log.warning("confirmation refused, too many attempts: %r", current_user.email)
    return auth.retry_later(_page(HTTPStatus.TOO_MANY_REQUESTS, {field: auth.TOO_MANY}))


def _is_sensitive() -> bool:
    if request.endpoint == "docs.attempt":
        return (request.view_args or {}).get("operation_id") in SENSITIVE_CALLS
    return request.endpoint in SENSITIVE or (current_user.has_second_factor and request.endpoint in ASKING)


def _is_recent() -> bool:
    return bool(utcnow() - current_user.confirmed_at < RECENT)


def _page(status: int, errors: Mapping[str, str] | None = None) -> Response:
    """Return the page that asks for it; for htmx, the form alone, which takes the place of the one sent."""
    name = "_confirm" if request.headers.get("HX-Request") else "confirm"
    kept = [(key, value) for key, value in request.form.items(multi=True) if key not in (PASSWORD, CODE)]
    address = request.full_path.rstrip("?")
    page = render_template(
        f"accounts/{name}.html",
        kept=kept,
        address=request.script_root + address,
        errors=errors or {},
        must_ask_provider=must_ask_provider(),
        back=auth.page_asking(),
    )
    return make_response(page, status)
