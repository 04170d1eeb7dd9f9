"""The administration of users: invitations, rights, and links that set a new password."""

from collections.abc import Mapping

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import Role, events
from webapp.accounts import invitations, resets, users
from webapp.accounts.auth import require_admin
from webapp.accounts.invitations import Offer
from webapp.accounts.users import Account, EmailTaken
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
    role = Role.ADMINISTRATOR if request.form.get("role") == "administrator" else Role.MEMBER
    try:
        secret = invitations.create(backend().database, address, Offer(role), current_user.id)
    except EmailTaken:
        return _refused(email, messages.HAS_ACCOUNT)
    link = url_for("registration.register", invitation=secret, _external=True)
    return make_response(_page(link={"for": address, "address": link, "days": invitations.LIFETIME.days}))


@bp.post("/invitations/<int:invitation_id>/revoke")
def revoke(invitation_id: int) -> Response:
    invitations.revoke(backend().database, invitation_id)
    return _back()


@bp.post("/<int:user_id>/role")
def set_role(user_id: int) -> Response:
    """Make a user an administrator, or a member again."""
    user = _other(user_id)
    users.set_admin(backend().database, user.email, request.form.get("role") == "administrator")
    return _back()


@bp.post("/<int:user_id>/active")
def set_active(user_id: int) -> Response:
    """Enable or disable an account, and end its sessions."""
    user = _other(user_id)
    users.set_active(backend().database, user.email, request.form.get("active") == "yes")
    events.publish_sign_out(backend().redis, user.id)
    return _back()


@bp.post("/<int:user_id>/sessions/end")
def end_sessions(user_id: int) -> Response:
    """Log a user out everywhere."""
    user = _other(user_id)
    users.end_sessions(backend().database, user.id)
    events.publish_sign_out(backend().redis, user.id)
    return _back()


@bp.post("/<int:user_id>/reset")
def reset(user_id: int) -> Response:
    """Create a link that sets a new password, in the response to this form and nowhere else."""
    user = _user(user_id)
    secret = resets.create(backend().database, user.id)
    link = url_for("registration.choose_password", link=secret, _external=True)
    return make_response(_page(link={"for": user.email, "address": link, "days": resets.LIFETIME.days}))


def _other(user_id: int) -> Account:
    """Return a user who is not the administrator that asks, so that one administrator is always left."""
    if user_id == current_user.id:
        abort(409, description=messages.NOT_YOURSELF)
    return _user(user_id)


def _user(user_id: int) -> Account:
    return users.with_id(backend().database, user_id) or abort(404, description=messages.NO_USER)


def _back() -> Response:
    return redirect(url_for("users.index"), 303)


def _refused(email: str, message: str) -> Response:
    return make_response(_page(email, message), 422)


def _page(email: str = "", error: str = "", link: Mapping[str, object] | None = None) -> str:
    wanted, after = request.args.get("q", "").strip(), request.args.get("after", "")
    found = users.search(backend().database, wanted, after, PAGE_SIZE + 1)
    return render_template(
        "admin/users.html",
        users=found[:PAGE_SIZE],
        next_after=found[PAGE_SIZE - 1].email if len(found) > PAGE_SIZE else "",
        wanted=wanted,
        invitations=invitations.listed(backend().database),
        email=email,
        error=error,
        link=link,
    )
