"""Views for the second factor: turning it on and off, recovery codes, and the code at sign-in."""

import segno
from flask import Blueprint, Flask, Response, abort, g, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from webapp.accounts import messages, second_factors, second_step, throttle
from webapp.accounts.auth import TOO_MANY, local_target, log, log_in, place, retry_later, show_form
from webapp.accounts.users import Account
from webapp.current import backend, is_for_api

bp = Blueprint("second_factor", __name__)

# What remains open to whoever must turn it on first. Live pages ask for themselves, and end as if signed out.
OPEN = frozenset({"static", "auth.logout", "auth.login", "auth.sign_in", "health.healthz", "health.readyz"})
OPEN |= {"live.stream", "live.changes"}


def init_app(app: Flask) -> None:
    app.before_request(require_set_up)
    app.register_blueprint(bp)


def is_required_of(user: Account) -> bool:
    required = backend().settings.require_2fa
    return required == "everybody" or (required == "administrators" and user.is_admin)


def must_set_up() -> bool:
    """Return whether this request's user has to turn it on before anything else.

    Whoever has no password logs in by a provider, which has rules of its own.
    """
    if not backend().settings.require_2fa or not current_user.is_authenticated:
        return False
    lacks_it = bool(current_user.password_hash) and not current_user.has_second_factor
    return lacks_it and is_required_of(current_user)


def require_set_up() -> BaseResponse | None:
    """Lead whoever must have a second factor and has none to where it is turned on."""
    if is_for_api() or request.endpoint in (None, *OPEN) or request.blueprint == bp.name or not must_set_up():
        return None
    address = url_for("second_factor.show")
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": address})
    return redirect(address, 303 if request.method == "POST" else 302)


@bp.get("/account/2fa")
def show() -> str:
    return render_template(
        "accounts/second_factor.html",
        codes_left=second_factors.codes_left(backend().database, current_user.id),
        required=is_required_of(current_user),
    )


@bp.post("/account/2fa/begin")
def begin() -> BaseResponse:
    """Make a secret, and show it as a QR code. It is in the answers to this and the next form and nowhere else."""
    if current_user.has_second_factor:
        return redirect(url_for("second_factor.show"), 303)
    second_factors.begin(backend(), current_user)
    return make_response(_set_up_page())


@bp.post("/account/2fa/on")
def turn_on() -> BaseResponse:
    """Turn it on if a code proves that the app has the secret. The recovery codes are in this answer only."""
    if current_user.has_second_factor:
        return redirect(url_for("second_factor.show"), 303)
    attempt = throttle.begin_code_attempt(backend().database, current_user, place())
    if attempt is None:
        return retry_later(make_response(_set_up_page(TOO_MANY), 429))
    codes = second_factors.turn_on(backend(), current_user, request.form.get("code", ""))
    if codes is None:
        return make_response(_set_up_page(messages.WRONG_CODE), 422)
    throttle.clear_failures(backend().database, attempt)
    return make_response(render_template("accounts/recovery_codes.html", codes=codes, is_new=True))


@bp.post("/account/2fa/codes")
def renew_codes() -> BaseResponse:
    """Replace the recovery codes. The new ones are in this answer and in no other."""
    if not current_user.has_second_factor:
        return redirect(url_for("second_factor.show"), 303)
    codes = second_factors.renew_codes(backend().database, current_user)
    return make_response(render_template("accounts/recovery_codes.html", codes=codes, is_new=False))


@bp.post("/account/2fa/off")
def turn_off() -> BaseResponse:
    if is_required_of(current_user):
        abort(409, description=messages.SECOND_FACTOR_REQUIRED)
    second_factors.turn_off(backend().database, current_user)
    return redirect(url_for("second_factor.show"), 303)


@bp.get("/login/code")
def code() -> BaseResponse:
    if second_step.who() is None:
        return _from_the_start()
    return show_form("code")


@bp.post("/login/code")
def check_code() -> BaseResponse:
    """Log in whoever has given the password and now gives the right code."""
    user = second_step.who()
    if user is None:
        return _from_the_start()
    g.signing_in = user
    attempt = throttle.begin_code_attempt(backend().database, user, place())
    if attempt is None:
        log.warning("code refused, too many attempts: %r from %s", user.email, request.remote_addr)
        return retry_later(show_form("code", 429, errors={"code": TOO_MANY}))
    if not second_factors.accepts(backend(), user, request.form.get("code", "")):
        log.warning("wrong code: %r from %s", user.email, request.remote_addr)
        return show_form("code", 422, errors={"code": messages.WRONG_CODE})
    throttle.clear_failures(backend().database, attempt)
    return log_in(user)


def _from_the_start() -> BaseResponse:
    return redirect(url_for("auth.login", next=local_target(request.values.get("next"))), 303)


def _set_up_page(error: str = "") -> str:
    secret = second_factors.pending(backend(), current_user) or abort(409, description=messages.BEGIN_AGAIN)
    address = second_factors.address(secret, current_user.email, backend().settings.app_name)
    picture = segno.make(address, error="m", micro=False).svg_inline(scale=5, border=4, dark="#000", light="#fff")
    key = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return render_template("accounts/second_factor_set_up.html", picture=picture, key=key, error=error)
