"""Groups: administrators create, rename and delete them; managers add and remove members of theirs."""

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import Role, events, groups
from webapp import rights
from webapp.accounts import users
from webapp.accounts.auth import require_admin
from webapp.admin import messages
from webapp.current import backend

PAGE_SIZE = 50

bp = Blueprint("groups", __name__, url_prefix="/admin/groups")


@bp.before_request
def require_manager() -> None:
    """Abort with 403 unless the user manages groups. Those that they do not manage do not exist to them."""
    if not (current_user.is_authenticated and current_user.role is Role.MANAGER):
        require_admin()


@bp.get("/")
def index() -> str:
    return _index()


@bp.post("/")
def create() -> Response:
    require_admin()
    name = _name()
    if problem := _problem_with(name):
        return make_response(_index(name, problem), 422)
    try:
        group = groups.create(backend().database, name)
    except groups.NameTaken:
        return make_response(_index(name, messages.NAME_TAKEN), 422)
    return redirect(url_for("groups.show", group_id=group.id), 303)


@bp.get("/<row:group_id>")
def show(group_id: int) -> str:
    return _page(_group(group_id))


@bp.post("/<row:group_id>/name")
def rename(group_id: int) -> Response:
    require_admin()
    group, name = _group(group_id), _name()
    problem = _problem_with(name)
    try:
        if not problem:
            groups.rename(backend().database, group.id, name)
    except groups.NameTaken:
        problem = messages.NAME_TAKEN
    return make_response(_page(group, name=name, name_error=problem), 422) if problem else _back(group)


@bp.post("/<row:group_id>/delete")
def delete(group_id: int) -> Response:
    """Delete a group, unless tasks are for it."""
    require_admin()
    group = _group(group_id)
    try:
        groups.remove(backend().database, group.id)
    except groups.StillUsed as used:
        return make_response(_page(group, delete_error=messages.STILL_USED.format(tasks=", ".join(used.tasks))), 409)
    return redirect(url_for("groups.index"), 303)


@bp.post("/<row:group_id>/members")
def add(group_id: int) -> Response:
    """Add a user, who is named by their address."""
    group, email = _group(group_id), request.form.get("email", "").strip()
    user = users.with_email(backend().database, email)
    if user is None or not user.is_active:
        return make_response(_page(group, email=email, member_error=messages.NO_USER_TO_ADD), 422)
    if not rights.mine().moves(user.role):
        return make_response(_page(group, email=email, member_error=messages.ADMINISTRATORS_MOVE), 422)
    groups.add_member(backend().database, group.id, user.id)
    events.publish_rights(backend().redis, user.id)
    return _back(group)


@bp.post("/<row:group_id>/members/<row:user_id>/remove")
def remove(group_id: int, user_id: int) -> Response:
    group = _group(group_id)
    user = users.with_id(backend().database, user_id)
    if user is None or group.id not in groups.of_person(backend().database, user.id):
        abort(404, description=messages.NO_MEMBER)
    if not rights.mine().moves(user.role):
        abort(403, description=messages.ADMINISTRATORS_MOVE)
    groups.remove_member(backend().database, group.id, user.id)
    events.publish_rights(backend().redis, user.id)
    return _back(group)


def _group(group_id: int) -> groups.Group:
    found = groups.with_id(backend().database, group_id) if rights.mine().manages(group_id) else None
    return found or abort(404, description=messages.NO_SUCH_GROUP)


def _name() -> str:
    return " ".join(request.form.get("name", "").replace("\x00", "").split())


def _problem_with(name: str) -> str:
    return "" if 0 < len(name) <= groups.LONGEST_NAME else messages.NO_NAME.format(most=groups.LONGEST_NAME)


def _back(group: groups.Group) -> Response:
    return redirect(url_for("groups.show", group_id=group.id), 303)


def _index(name: str = "", error: str = "") -> str:
    mine = [group for group in groups.listed(backend().database) if rights.mine().manages(group.id)]
    return render_template("admin/groups.html", groups=mine, name=name, error=error)


def _page(group: groups.Group, **given: str) -> str:
    found = groups.members(
        backend().database, group.id, request.args.get("after", "").replace("\x00", ""), PAGE_SIZE + 1
    )
    return render_template(
        "admin/group.html",
        group=group,
        members=found[:PAGE_SIZE],
        next_after=found[PAGE_SIZE - 1].email if len(found) > PAGE_SIZE else "",
        rights=rights.mine(),
        given=given,
    )
