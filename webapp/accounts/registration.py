"""Views for creating an account, and for setting a password with a link."""

from flask import Blueprint, Flask, Response, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from jobs.runs import events
from webapp.accounts import invitations, messages, passwords, proofs, resets, throttle, users
from webapp.accounts.auth import credentials, first_factor_given, local_target, log_in, place, retry_later, show_form
from webapp.accounts.constant_time import constant_time
from webapp.accounts.invitations import Invitation, NotInvited
from webapp.accounts.users import Account, EmailTaken
from webapp.current import backend

bp = Blueprint("registration", __name__)

TOO_MANY_MAILS = messages.TOO_MANY_MAILS.format(minutes=throttle.WINDOW_SECONDS // 60)
TOO_MANY = messages.TOO_MANY_ACCOUNTS.format(minutes=throttle.WINDOW_SECONDS // 60)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(may_register=may_register, has_mail=has_mail)
    app.register_blueprint(bp)


def registers() -> str:
    """Return who may register: open, domain, invite or closed."""
    return backend().settings.registers


def may_register() -> bool:
    """Return whether visitors may register without an invitation."""
    return registers() in ("open", "domain") and not backend().settings.oidc_only


def has_mail() -> bool:
    return bool(backend().settings.mail_url)


def refusal_of(email: str) -> str | None:
    """Return why no account may be created at an address, or None."""
    if not may_register():
        return messages.REGISTRATION_CLOSED if registers() == "closed" else messages.BY_INVITATION
    return other_domain(email)


def other_domain(email: str) -> str | None:
    """Return that an address is not of the domains that may register, or None."""
    domains = backend().settings.registration_domains
    if not domains or users.domain_of(email) in domains:
        return None
    return messages.OTHER_DOMAIN.format(domains=" or ".join(domains))


@bp.get("/register")
def register() -> BaseResponse:
    if current_user.is_authenticated:
        return redirect(local_target(request.args.get("next")))
    invitation = _invitation()
    if refusal := _refusal(invitation):
        return show_form("not_open", 403, message=refusal)
    if invitation is None and has_mail():
        return show_form("register_by_mail")
    return show_form("register", email=_invited(invitation), invited=_invited(invitation), invitation=_secret())


@bp.post("/register")
def create() -> BaseResponse:
    invitation = _invitation()
    if refusal := _refusal(invitation):
        return show_form("not_open", 403, message=refusal)
    if invitation is None and has_mail():
        return _mailed()
    email, password = credentials()
    email = _invited(invitation) or email
    address = users.normalised(email)
    errors = {
        "email": None if address else messages.NO_EMAIL,
        "password": passwords.problem_with(password, address or ""),
    }
    if address is None or errors["password"]:
        return _again(invitation, email, errors)
    if not throttle.may_register(backend(), place()):
        return retry_later(_again(invitation, email, {"email": TOO_MANY}, 429))
    try:
        return log_in(_created(invitation, address, password))
    except EmailTaken:
        return _again(invitation, email, {"email": messages.EMAIL_TAKEN})
    except NotInvited:
        return show_form("not_open", 403, message=messages.NOT_INVITED)


def _mailed() -> Response:
    """Mail a link that proves the address. The answer is the same if the address has an account."""
    email, _password = credentials()
    address = users.normalised(email)
    if problem := messages.NO_EMAIL if address is None else refusal_of(address):
        return show_form("register_by_mail", 422, email, {"email": problem})
    if not throttle.may_register(backend(), place()):
        return retry_later(show_form("register_by_mail", 429, email, {"email": TOO_MANY}))
    assert address
    if not throttle.may_mail(backend().database, address):
        return retry_later(show_form("register_by_mail", 429, email, {"email": TOO_MANY_MAILS}))
    with constant_time():
        proofs.begin_registration(backend(), address)
    return show_form("register_sent", email=address)


def _secret() -> str:
    return request.values.get("invitation", "")


def _invitation() -> Invitation | None:
    return invitations.with_secret(backend().database, _secret()) if _secret() else None


def _invited(invitation: Invitation | None) -> str:
    """Return the address that an invitation is bound to."""
    return (invitation.email if invitation else None) or ""


def _refusal(invitation: Invitation | None) -> str | None:
    """Return why this visitor cannot register, or None."""
    if registers() == "closed":
        return messages.REGISTRATION_CLOSED
    settings = backend().settings
    if settings.oidc_only and not (invitation and invitation.email is None):  # the first account has a password
        return messages.JOIN_BY_PROVIDER.format(name=settings.oidc_name)
    if invitation is not None or (may_register() and not _secret()):
        return None
    return messages.NOT_INVITED if _secret() else messages.BY_INVITATION


def _again(invitation: Invitation | None, email: str, errors: dict[str, str | None], status: int = 422) -> Response:
    return show_form("register", status, email, errors, invited=_invited(invitation), invitation=_secret())


def _created(invitation: Invitation | None, address: str, password: str) -> Account:
    if invitation is None:
        return users.create(backend().database, address, password)
    return invitations.accept(backend().database, _secret(), address, password)


@bp.get("/reset")
def choose_password() -> Response:
    """Show the form for a new password, to whoever has a link for it."""
    user, refusal = _account_for(request.args.get("link", ""))
    if user is None:
        return show_form("not_open", 403, message=refusal)
    return show_form("reset", email=user.email, link=request.args["link"])


@bp.post("/reset")
def set_password() -> BaseResponse:
    """Set the password, end all sessions of the account and begin a new one."""
    link, password = request.form.get("link", ""), request.form.get("password", "")
    user, refusal = _account_for(link)
    if user and (problem := passwords.problem_with(password, user.email)):
        return show_form("reset", 422, user.email, {"password": problem}, link=link)
    changed = resets.use(backend().database, link, password) if user else None
    if changed is None:
        return show_form("not_open", 403, message=refusal)
    events.publish_sign_out(backend().redis, changed.id)
    return first_factor_given(changed)


def _account_for(link: str) -> tuple[Account | None, str]:
    """Return the account that a link sets a password for, or None and why there is none."""
    user = resets.account_for(backend().database, link)
    if user is None or users.may_use_password(user, backend().settings):
        return user, messages.MAILED_LINK_USED if has_mail() else messages.LINK_USED
    return None, messages.PROVIDER_ONLY.format(name=backend().settings.oidc_name)
