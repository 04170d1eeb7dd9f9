"""Views for logging in and out, and changing the password."""

import logging
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_login import LoginManager, current_user, login_user, logout_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from jobs.runs import events
from webapp.accounts import acting, bearer, messages, passwords, second_step, sessions, throttle, users
from webapp.accounts.users import Account
from webapp.connections import place_of
from webapp.current import backend, is_for_api
from webapp.security import local_path

bp = Blueprint("auth", __name__)

log = logging.getLogger("dumbwaiter.security")

Errors = Mapping[str, str | None]

TOO_MANY = messages.TOO_MANY_ATTEMPTS.format(minutes=throttle.WINDOW_SECONDS // 60)
PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "auth.login",
        "auth.sign_in",
        "registration.register",
        "registration.create",
        "registration.choose_password",
        "registration.set_password",
        "sso.start",
        "sso.finish",
        "proofs.confirm",
        "proofs.finish",
        "proofs.forgot",
        "proofs.send_link",
        "second_factor.code",
        "second_factor.check_code",
        "health.healthz",
        "health.readyz",
        "live.stream",
        "live.changes",
        "openapi.client",
        "openapi.description",
        *(f"links.{part}" for part in ("show", "changes", "table", "table_csv", "text", "log", "everything", "file")),
    }
)


def init_app(app: Flask) -> None:
    manager = LoginManager(app, add_context_processor=False)  # the layout asks for the viewer with more care
    manager.session_protection = None  # a session is bound to its version in the database, not to an address
    manager.user_loader(_load_user)
    manager.request_loader(_of_token)
    acting.init_app(app)
    app.before_request(require_sign_in)
    app.register_blueprint(bp)


def _load_user(session_id: str) -> Account | None:
    """Return the active user of a valid session, or None. The API does not read sessions.

    If the database is away, the error page asks for the user again. It gets the same error without another wait.
    """
    if is_for_api():
        return None
    if "user_unknown" in g:
        raise g.user_unknown
    try:
        return sessions.account_of(backend().database, session_id)
    except SQLAlchemyError as error:
        g.user_unknown = error
        raise


def _of_token(_request: Request) -> Account | None:
    found = bearer.caller() if is_for_api() else None
    return found.account if found else None


def require_sign_in() -> BaseResponse | None:
    """Require a login for every endpoint but the public ones.

    The live socket closes with its own code instead, and the API asks for a token.
    """
    if is_for_api():
        return None
    if request.endpoint is None or request.endpoint in PUBLIC_ENDPOINTS or current_user.is_authenticated:
        return None
    if request.endpoint == "tasks.check" and request.headers.get("HX-Request"):
        return Response(status=204)  # a background check must not navigate away: keep the user's input on screen
    return lead_to_sign_in()


def lead_to_sign_in() -> BaseResponse:
    """Return the redirect to the login page, which leads back."""
    address = f"{url_for('auth.login')}?{urlencode({'next': page_asking()}, safe='/')}"
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": address})
    return redirect(address, 303 if request.method == "POST" else 302)


def page_asking() -> str:
    """Return the path of the page that sent the request, or of the requested page if the browser opens it."""
    is_fragment = bool(request.headers.get("HX-Request"))
    if request.method == "GET" and not is_fragment:
        return request.script_root + request.full_path.rstrip("?")
    try:
        page = urlsplit(request.headers.get("HX-Current-URL", "") if is_fragment else request.referrer or "")
    except ValueError:
        return local_target(None)
    path = page._replace(scheme="", netloc="", fragment="").geturl()
    return local_target(path if page.netloc == request.host else None)


def local_target(target: str | None) -> str:
    """Return the path if it is one of this application's, otherwise the start page."""
    return local_path(target, request.script_root)


@bp.get("/login")
def login() -> BaseResponse:
    if current_user.is_authenticated:
        return redirect(local_target(request.args.get("next")))
    return show_form("login")


@bp.post("/login")
def sign_in() -> BaseResponse:
    email, password = credentials()
    try:
        return first_factor_given(with_credentials(email, password))
    except Refused as refused:
        response = show_form("login", refused.status, email, {"password": str(refused)})
        return retry_later(response) if refused.status == 429 else response


class Refused(Exception):
    """Credentials that do not let anybody in, with the status and the message to answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def with_credentials(email: str, password: str) -> Account:
    """Return the account with this e-mail address and password, throttling guesses. Raises Refused."""
    address = users.normalised(email) or email[: users.LONGEST_EMAIL].replace("\x00", "").strip().lower()[:254]
    attempt = throttle.begin_attempt(backend().database, address, place())
    if attempt is None:
        log.warning("login refused, too many attempts: %r from %s", address, request.remote_addr)
        raise Refused(429, TOO_MANY)
    user = users.with_password(backend().database, address, password[: passwords.LONGEST + 1])
    if user is None:
        log.warning("login failed: %r from %s", address, request.remote_addr)
        raise Refused(422, messages.WRONG_CREDENTIALS)
    throttle.clear_failures(backend().database, attempt)
    if not user.is_active:
        raise Refused(403, messages.DISABLED)
    if not users.may_use_password(user, backend().settings):
        raise Refused(403, messages.PROVIDER_ONLY.format(name=backend().settings.oidc_name))
    g.signing_in = user
    return user


@bp.post("/logout")
def logout() -> BaseResponse:
    """End this session, on all of its open pages."""
    sessions.end(backend().database, current_user.id, sessions.number_of(current_user.session_id))
    events.publish_sign_out(backend().redis, current_user.id)
    return leave()


def leave() -> BaseResponse:
    """End the session here, and have the browser forget what it has kept of the site.

    Where people log in by a provider, the page that follows leads there, too: who sits at the same browser could else
    log in again with one click.
    """
    logout_user()
    session.clear()
    response = redirect(url_for("auth.login", left=1 if "provider" in current_app.extensions else None), 303)
    # Not what other applications keep, on a site that is shared with them.
    response.headers["Clear-Site-Data"] = '"cache"' if request.script_root else '"cache", "storage"'
    return response


def require_admin() -> None:
    """Abort with 403 unless the user is an administrator."""
    if not (current_user.is_authenticated and current_user.is_admin):
        abort(403, description=messages.ADMINISTRATORS_ONLY)


def credentials() -> tuple[str, str]:
    """Return the e-mail address and the password that a form has sent."""
    return request.form.get("email", "")[: users.LONGEST_EMAIL + 1], request.form.get("password", "")


def place() -> str:
    """Return the place that this request comes from, for throttling."""
    return place_of(request.remote_addr)


def show_form(name: str, status: int = 200, email: str = "", errors: Errors | None = None, **values: str) -> Response:
    """Return the page with a form for visitors, with the messages by field name."""
    target = local_target(request.values.get("next"))
    page = render_template(f"accounts/{name}.html", email=email, errors=errors or {}, next=target, **values)
    return make_response(page, status)


def retry_later(response: Response) -> Response:
    response.headers["Retry-After"] = str(throttle.WINDOW_SECONDS)
    return response


def first_factor_given(user: Account) -> BaseResponse:
    """Log in, or ask for the code of the user's second factor."""
    return second_step.begin(user, local_target(request.values.get("next"))) if user.has_second_factor else log_in(user)


def _end_session_before() -> None:
    """End the session that this browser has had until now: a copy of its cookie is worth nothing from here on."""
    if current_user.is_authenticated:
        sessions.end(backend().database, current_user.id, sessions.number_of(current_user.session_id))
        events.publish_sign_out(backend().redis, current_user.id)


def log_in(user: Account, target: str | None = None, confirmed_at: datetime | None = None) -> BaseResponse:
    """Begin a session and lead to the target, or to the page that the request names.

    The password was given at `confirmed_at`, or just now.
    """
    _end_session_before()
    session.clear()  # prevent session fixation: keep nothing from before the login
    session.permanent = True
    g.signing_in = user
    agent, address = request.user_agent.string, request.remote_addr or ""
    user.session_id = sessions.begin(backend().database, user, agent, address, confirmed_at)
    throttle.note_place(backend().database, user.id, place())
    login_user(user)
    log.info("logged in: %r from %s", user.email, address)
    return redirect(target or local_target(request.values.get("next")), 303)
