"""Tasks: who sees and runs them, and why somebody does not."""

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from jobs.authoring import Task
from jobs.runs import groups
from webapp.accounts import users
from webapp.accounts.auth import require_admin
from webapp.admin import messages
from webapp.admin.explaining import audiences, explained
from webapp.current import backend

bp = Blueprint("admin_tasks", __name__, url_prefix="/admin/tasks")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    tasks = list(backend().catalog.values())
    return render_template("admin/tasks.html", tasks=zip(tasks, audiences(tasks), strict=True), is_empty=not tasks)


@bp.get("/<name>")
def show(name: str) -> str:
    """Show who sees a task and, for an e-mail address in the query string, the rule that decides about its user."""
    return _page(_task(name))


@bp.post("/<name>/groups")
def set_groups(name: str) -> Response:
    """Choose who sees a task: everybody, some groups, or whoever its file names."""
    task, who = _task(name), request.form.get("who")
    chosen = {group for group in groups.names(backend().database) if str(group) in request.form.getlist("group")}
    if who == "groups" and not chosen:
        return make_response(_page(task, messages.NO_GROUP_CHOSEN), 422)
    new = {"file": None, "everybody": set[int](), "groups": chosen}
    if who not in new:
        return make_response(_page(task, messages.NOBODY_CHOSEN), 422)
    groups.set_for_task(backend().database, task.name, new[who])
    return redirect(url_for("admin_tasks.show", name=name), 303)


def _task(name: str) -> Task:
    return backend().catalog.get(name) or abort(404, description=messages.NO_TASK)


def _page(task: Task, error: str = "") -> str:
    email = request.args.get("user", "").strip()
    user = users.with_email(backend().database, email) if email else None
    chosen = groups.for_tasks(backend().database, [task.name]).get(task.name)
    who = "file" if chosen is None else "groups" if chosen else "everybody"
    return render_template(
        "admin/task.html",
        task=task,
        audience=audiences([task])[0],
        groups=groups.names(backend().database),
        chosen=chosen or (),
        who="groups" if error else who,
        error=error,
        email=email,
        explanation=explained(user, task) if user else messages.NO_USER_OF_ADDRESS if email else "",
    )
