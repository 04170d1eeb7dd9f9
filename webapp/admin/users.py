"""The administration of users: invitations, rights, and links that set a new password."""

from collections.abc import Mapping
from datetime import timedelta

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import Role, cancel_all, events, groups
from webapp.accounts import invitations, resets, users
from webapp.accounts.auth import require_admin
from webapp.accounts.invitations import Offer
from webapp.accounts.users import Account, EmailTaken, LastAdministrator
from webapp.admin import messages
from webapp.current import backend

PAGE_SIZE = 50

bp = Blueprint("users", __name__, url_prefix="/admin/users")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    return _page()


@bp.post("/invitations")
def invite() -> Response:
    """Create an invitation. Its link is in the response to this form and nowhere else."""
    email = request.form.get("email", "")
    address = users.normalised(email)
    if backend().settings.registers == "closed":
        return _refused(email, messages.CLOSED)
    if address is None:
        return _refused(email, messages.NO_EMAIL)
    offer = Offer(_role(default=Role.MEMBER), _groups())
    try:
        secret = invitations.create(backend(), address, offer, current_user.id)
    except EmailTaken:
        return _refused(email, messages.HAS_ACCOUNT)
    link = url_for("registration.register", invitation=secret, _external=True)
    return _handed_out(address, link, invitations.LIFETIME)


@bp.post("/invitations/<row:invitation_id>/revoke")
def revoke(invitation_id: int) -> Response:
    invitations.revoke(backend().database, invitation_id)
    return _back()


@bp.post("/<row:user_id>/role")
def set_role(user_id: int) -> Response:
    """Give a user another role. An administrator does not take their own rights away, so that one is always left."""
    user = _other(user_id)
    try:
        users.set_role(backend().database, user.id, _role())
    except LastAdministrator:
        abort(409, description=messages.LAST_ADMINISTRATOR)
    events.publish_rights(backend().redis, user.id)
    return _back_to(user)


@bp.post("/<row:user_id>/groups")
def set_groups(user_id: int) -> Response:
    """Choose all groups that a user belongs to."""
    user = _user(user_id)
    with backend().database.write() as session:
        groups.set_groups_of(session, user.id, _groups())
    events.publish_rights(backend().redis, user.id)
    return _back_to(user)


@bp.post("/<row:user_id>/active")
def set_active(user_id: int) -> Response:
    """Enable or disable an account, and end its sessions; cancel its runs if the form says so."""
    user = _other(user_id)
    users.set_active(backend().database, user.email, request.form.get("active") == "yes")
    events.publish_sign_out(backend().redis, user.id)
    if request.form.get("cancel") == "yes":
        cancel_all(backend(), user.id)
    return _back()


@bp.post("/<row:user_id>/sessions/end")
def end_sessions(user_id: int) -> Response:
    """Log a user out everywhere."""
    user = _other(user_id)
    users.end_sessions(backend().database, user.id)
    events.publish_sign_out(backend().redis, user.id)
    return _back()


@bp.post("/<row:user_id>/reset")
def reset(user_id: int) -> Response:
    """Create a link that sets a new password, in the response to this form and nowhere else."""
    user = _user(user_id)
    secret = resets.create(backend(), user.id)
    link = url_for("registration.choose_password", link=secret, _external=True)
    return _handed_out(user.email, link, resets.LIFETIME, user.is_active)


def _handed_out(email: str, address: str, lifetime: timedelta, has_mail: bool = True) -> Response:
    """Show a link to hand over, and say if it is mailed, too."""
    is_mailed = has_mail and bool(backend().settings.mail_url)
    return make_response(_page(link={"for": email, "address": address, "days": lifetime.days, "is_mailed": is_mailed}))


def _other(user_id: int) -> Account:
    """Return a user who is not the administrator that asks, so that one administrator is always left."""
    if user_id == current_user.id:
        abort(409, description=messages.NOT_YOURSELF)
    return _user(user_id)


def _role(default: Role | None = None) -> Role:
    """Return the role that a form names, or abort with 422."""
    try:
        return Role(request.form.get("role", default or ""))
    except ValueError:
        abort(422, description=messages.NO_ROLE)


def _groups() -> set[int]:
    """Return the groups that a form names; those that do not exist are left out when they are stored."""
    return {int(one) for one in request.form.getlist("group") if one.isdecimal() and len(one) < 10}


def _user(user_id: int) -> Account:
    return users.with_id(backend().database, user_id) or abort(404, description=messages.NO_USER)


def _back() -> Response:
    return redirect(url_for("users.index"), 303)


def _back_to(user: Account) -> Response:
    return redirect(url_for("user.show", user_id=user.id), 303)


def _refused(email: str, message: str) -> Response:
    return make_response(_page(email, message), 422)


def _page(email: str = "", error: str = "", link: Mapping[str, object] | None = None) -> str:
    wanted, after = (request.args.get(name, "").replace("\x00", "").strip() for name in ("q", "after"))
    found = users.search(backend().database, wanted, after, PAGE_SIZE + 1)
    return render_template(
        "admin/users.html",
        users=found[:PAGE_SIZE],
        next_after=found[PAGE_SIZE - 1].email if len(found) > PAGE_SIZE else "",
        wanted=wanted,
        invitations=invitations.listed(backend().database),
        roles=messages.ROLES,
        groups=groups.names(backend().database),
        chosen=(),
        email=email,
        error=error,
        link=link,
    )
