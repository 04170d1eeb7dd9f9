"""Views for logging in by an OpenID Connect provider, and for linking an account to it."""

import logging
from collections.abc import Callable
from typing import cast

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from jobs.runs import events
from webapp.accounts import acting, flows, identities, messages, second_step, sessions
from webapp.accounts.account_views import refused_password
from webapp.accounts.auth import local_target, log_in
from webapp.accounts.flows import Begun
from webapp.accounts.identities import Identity, Linked, NotKnown
from webapp.accounts.provider import LEEWAY_SECONDS, Claims, NotBelieved, Provider, ProviderAway, issuer_of
from webapp.accounts.users import Account, EmailTaken
from webapp.current import backend, backend_of

bp = Blueprint("sso", __name__)

log = logging.getLogger("dumbwaiter.security")


class Refused(Exception):
    """A sign-in that is the provider's word and yet lets nobody in, with the message to answer with."""


def init_app(app: Flask) -> None:
    """Add the addresses, and what templates need to know, if people log in by a provider."""
    settings = backend_of(app).settings
    app.jinja_env.globals.update(sso_name="", sso_only=settings.oidc_only)
    if settings.oidc_issuer:
        app.jinja_env.globals.update(sso_name=settings.oidc_name, identity=_identity, sso_logout=_logout_address)
        app.extensions["provider"] = Provider(settings)
        app.register_blueprint(bp)


@bp.errorhandler(ProviderAway)
def _away(error: ProviderAway) -> Response:
    log.warning("the sign-in provider is away: %s", error)
    return _refusal(503, messages.PROVIDER_AWAY)


@bp.get("/login/sso")
def start() -> BaseResponse:
    """Lead to the provider; with `confirm`, to have a person who is logged in show there that it is they."""
    target = local_target(request.args.get("next"))
    if not current_user.is_authenticated:
        return redirect(_address(target))
    return redirect(_address(target, _confirm) if "confirm" in request.args else target)


@bp.post("/account/sso/link")
def link() -> Response:
    """Begin to link the account, after checking its password. The policy lets no form's redirect leave the site."""
    if refused := refused_password("sso-password", request.form.get("sso-password", "")):
        return refused
    address = _address(url_for("auth.account", _anchor="sso"), _link)
    return make_response(render_template("accounts/continue.html", address=address))


@bp.post("/account/sso/unlink")
def unlink() -> BaseResponse:
    identities.unlink(backend().database, current_user.id, issuer_of(backend().settings))
    return redirect(url_for("auth.account", _anchor="sso"), 303)


@bp.get("/login/sso/callback")
def finish() -> BaseResponse:
    """Receive the provider's answer. Its state shows that this browser has asked, so this GET may change something."""
    begun = flows.end(backend().settings, request.args.get("state", ""))
    if begun is None:
        log.warning("sign-in refused, not begun by this browser: from %s", request.remote_addr)
        return _refusal(400, messages.SIGN_IN_STALE)
    if "code" not in request.args:
        log.warning("sign-in refused by the provider: %.60r from %s", request.args.get("error"), request.remote_addr)
        return _refusal(403, messages.SIGN_IN_CANCELLED)
    try:
        claims = _provider().claims(begun.flow, request.args["code"])
        return ENDINGS[begun.purpose](begun, claims)
    except NotBelieved as error:
        log.warning("sign-in refused, not believed: %s, from %s", error, request.remote_addr)
        return _refusal(403, messages.SIGN_IN_FAILED)
    except Refused as refused:
        log.warning("sign-in refused: subject %r from %s: %s", claims.subject, request.remote_addr, refused)
        return _refusal(403, str(refused))


def _log_in(begun: Begun, claims: Claims) -> BaseResponse:
    if not _is_allowed(claims):
        raise Refused(messages.NOT_IN_GROUP)
    with acting.in_the_name_of(backend().settings.oidc_name):
        user = identities.account_of(backend().database, claims, backend().settings) or _joined(claims)
    if not user.is_active:
        raise Refused(messages.DISABLED)
    events.publish_rights(backend().redis, user.id)
    target = local_target(begun.target)
    return second_step.begin(user, target) if user.has_second_factor else log_in(user, target)


def _is_allowed(claims: Claims) -> bool:
    settings = backend().settings
    allowed = settings.oidc_allowed_groups
    return not allowed or bool(claims.groups & (allowed | settings.oidc_administrators))


def _joined(claims: Claims) -> Account:
    try:
        return identities.join(backend().database, claims, backend().settings)
    except EmailTaken:
        if user := identities.account_of(backend().database, claims, backend().settings):
            return user  # it was created meanwhile
        raise Refused(messages.NOT_LINKED) from None
    except NotKnown:
        raise Refused(messages.NO_ACCOUNT if claims.email else messages.UNVERIFIED_EMAIL) from None


def _link(begun: Begun, claims: Claims) -> BaseResponse:
    _check_same_person(begun)
    try:
        identities.link(backend().database, current_user.id, claims, backend().settings)
    except Linked:
        raise Refused(messages.LINKED_OTHERWISE) from None
    return redirect(begun.target)


def _confirm(begun: Begun, claims: Claims) -> BaseResponse:
    """Note in the session that its person has shown at the provider who they are: after they were asked to, not before.

    A provider that does not say when, although the standard wants it, may not have asked at all. Who has a second
    factor here is asked for a code, too, before that counts for more.
    """
    _check_same_person(begun)
    account = identities.account_of(backend().database, claims, backend().settings)
    if account is None or account.id != current_user.id:
        raise Refused(messages.NOT_CONFIRMED)
    if claims.signed_in_at is None:
        raise Refused(messages.NOT_SAID_WHEN)
    if claims.signed_in_at < begun.at - LEEWAY_SECONDS:
        raise Refused(messages.NOT_SIGNED_IN_AGAIN)
    flows.confirm()
    if not account.has_second_factor:
        sessions.confirm(backend().database, sessions.number_of(current_user.session_id))
    return redirect(begun.target)


ENDINGS: dict[str, Callable[[Begun, Claims], BaseResponse]] = {
    ending.__name__: ending for ending in (_log_in, _link, _confirm)
}


def _check_same_person(begun: Begun) -> None:
    if not current_user.is_authenticated or current_user.id != begun.owner_id:
        raise Refused(messages.SIGN_IN_STALE)


def _address(target: str, ending: Callable[[Begun, Claims], BaseResponse] = _log_in) -> str:
    """Begin a sign-in and return its address at the provider."""
    owner_id = current_user.id if current_user.is_authenticated else 0
    flow = flows.begin(backend().settings, target, owner_id, ending.__name__)
    return _provider().address(flow, fresh=ending is _confirm)


def _provider() -> Provider:
    return cast(Provider, current_app.extensions["provider"])


def _logout_address() -> str:
    return _provider().logout_address()


def _identity() -> Identity | None:
    """Return what the provider calls the user."""
    return identities.of(backend().database, current_user.id, issuer_of(backend().settings))


def _refusal(status: int, message: str) -> Response:
    words = message.format(name=backend().settings.oidc_name)
    return make_response(render_template("accounts/refused.html", message=words[:1].upper() + words[1:]), status)
