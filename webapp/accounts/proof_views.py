"""Views for what is done by mail: creating an account at a proved address, and asking for a new password."""

from flask import Blueprint, Response, abort, request
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from webapp.accounts import messages, passwords, proofs, resets, throttle, users
from webapp.accounts.auth import log_in, place, retry_later, show_form
from webapp.accounts.constant_time import constant_time
from webapp.accounts.proofs import NotProved
from webapp.accounts.registration import TOO_MANY, TOO_MANY_MAILS, refusal_of
from webapp.accounts.users import EmailTaken
from webapp.current import backend

bp = Blueprint("proofs", __name__)


@bp.get("/register/confirm")
def confirm() -> Response:
    """Show the form for the password of a new account, to whoever has the link from the mail."""
    email = proofs.address_to_register(backend().database, _link())
    if email is None:
        return show_form("not_open", 403, message=messages.REGISTRATION_LINK_USED)
    if refusal := refusal_of(email):
        return show_form("not_open", 403, message=refusal)
    return show_form("register_confirm", email=email, link=_link())


@bp.post("/register/confirm")
def finish() -> BaseResponse:
    """Create the account at the proved address and log in."""
    email, password = proofs.address_to_register(backend().database, _link()), request.form.get("password", "")
    if email and (refusal := refusal_of(email)):
        return show_form("not_open", 403, message=refusal)
    if email and (problem := passwords.problem_with(password, email)):
        return show_form("register_confirm", 422, email, {"password": problem}, link=_link())
    try:
        return log_in(proofs.register(backend().database, _link() if email else "", password))
    except NotProved:
        return show_form("not_open", 403, message=messages.REGISTRATION_LINK_USED)
    except EmailTaken:
        return show_form("not_open", 403, message=messages.EMAIL_TAKEN)


@bp.get("/reset/mail")
def forgot() -> Response:
    _require_mail()
    return show_form("forgot", email=current_user.email if current_user.is_authenticated else "")


@bp.post("/reset/mail")
def send_link() -> Response:
    """Mail a link that sets a new password, if the address has an account. The answer is the same if it has none."""
    _require_mail()
    email = request.form.get("email", "")[: users.LONGEST_EMAIL + 1]
    address = users.normalised(email)
    if address is None:
        return show_form("forgot", 422, email, {"email": messages.NO_EMAIL})
    if not throttle.may_ask_for_reset(backend(), place()):
        return retry_later(show_form("forgot", 429, email, {"email": TOO_MANY}))
    if not throttle.may_mail(backend().database, address):
        return retry_later(show_form("forgot", 429, email, {"email": TOO_MANY_MAILS}))
    with constant_time():
        user = users.with_email(backend().database, address)
        if user and user.is_active and users.may_use_password(user, backend().settings):
            resets.send(backend(), user.id)
    return show_form("forgot_sent", email=address)


def _link() -> str:
    return request.values.get("link", "")


def _require_mail() -> None:
    if not backend().settings.mail_url:
        abort(404)
