"""One user, as administrators see them: role, groups and caps, sign-in, what they may see, and all their runs."""

from collections.abc import Mapping

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import cancel_all, caps, events, groups, usage
from webapp.accounts import addresses, second_factors, users
from webapp.accounts.auth import require_admin
from webapp.accounts.users import Account, EmailTaken
from webapp.admin import messages
from webapp.admin.explaining import explained
from webapp.current import backend

bp = Blueprint("user", __name__, url_prefix="/admin/users/<row:user_id>")
bp.before_request(require_admin)


@bp.get("")
def show(user_id: int) -> str:
    """Show a user and, for a task in the query string, the rule that decides about it."""
    return _page(_user(user_id))


@bp.post("/caps")
def set_caps(user_id: int) -> Response:
    """Set what holds for this user; an empty field is as for the user's role."""
    user, given = _user(user_id), {name: request.form.get(name, "").strip() for name in caps.NAMES}
    numbers = {name: int(text[:20]) for name, text in given.items() if text.isascii() and text.isdecimal()}
    errors = {
        name: messages.NO_CAP.format(most=caps.LARGEST)
        for name, text in given.items()
        if text and numbers.get(name, caps.LARGEST + 1) > caps.LARGEST
    }
    if errors:
        return make_response(_page(user, given, errors), 422)
    caps.set_caps(backend().database, user_id, {name: numbers.get(name) for name in caps.NAMES})
    return _back(user_id)


@bp.post("/cancel")
def cancel(user_id: int) -> Response:
    """Cancel the runs of this user that wait, and stop those that run."""
    _user(user_id)
    cancel_all(backend(), user_id)
    return _back(user_id)


@bp.post("/2fa/reset")
def reset_second_factor(user_id: int) -> Response:
    """Turn off the second factor of a user who has lost it, and end their sessions."""
    user = _user(user_id)
    if user.id == current_user.id:
        abort(409, description=messages.NOT_OWN_FACTOR)
    if second_factors.turn_off(backend().database, user, is_lost=True):
        events.publish_sign_out(backend().redis, user.id)
    return _back(user_id)


@bp.post("/address")
def change_address(user_id: int) -> Response:
    """Change a user's address to one that the administrator knows to be theirs. A mail tells the old one."""
    user, email = _user(user_id), request.form.get("email", "")[: users.LONGEST_EMAIL + 1]
    address = users.normalised(email)
    problem = messages.NO_EMAIL if address is None else messages.SAME_ADDRESS if address == user.email else ""
    try:
        if address and not problem:
            addresses.change_by_administrator(backend(), user, address)
    except EmailTaken:
        problem = messages.HAS_ACCOUNT
    if problem:
        return make_response(_page(user, new_email=email, errors={"email": problem}), 422)
    return _back(user_id)


def _user(user_id: int) -> Account:
    return users.with_id(backend().database, user_id) or abort(404, description=messages.NO_USER)


def _back(user_id: int) -> Response:
    return redirect(url_for("user.show", user_id=user_id), 303)


def _page(
    user: Account,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    new_email: str = "",
) -> str:
    settings, task = backend().settings, backend().catalog.get(request.args.get("task", ""))
    with backend().database.read() as session:
        own, defaults = caps.own_caps(session, user.id), caps.of_role(session, settings, user.id)
        used, unfinished = usage.used(session, user.id), caps.unfinished(session, user.id)
    return render_template(
        "admin/user.html",
        user=user,
        roles=messages.ROLES,
        groups=groups.names(backend().database),
        chosen=groups.of_person(backend().database, user.id),
        tasks=backend().catalog.values(),
        task=task,
        explanation=explained(user, task) if task else "",
        given=given or {name: str(own.get(name, "")) for name in caps.NAMES},
        defaults=defaults,
        errors=errors or {},
        new_email=new_email,
        used=used,
        unfinished=unfinished,
    )
