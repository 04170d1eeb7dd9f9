"""Pausing and resuming tasks, users or everything."""

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import Kind, pauses
from webapp.accounts import users
from webapp.accounts.auth import require_admin
from webapp.admin import messages
from webapp.current import backend

bp = Blueprint("pauses", __name__, url_prefix="/admin/pauses")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    return _page()


@bp.post("/")
def create() -> Response:
    """Pause everything, a task, or a user, who is named by their address."""
    reason = _one_line("reason")
    if len(reason) > pauses.LONGEST_REASON:
        return make_response(_page({"reason": messages.LONG_REASON.format(most=pauses.LONGEST_REASON)}), 422)
    kind, _, name = request.form.get("what", "").partition(":")
    if kind == Kind.USER:
        user = users.with_email(backend().database, request.form.get("email", ""))
        if user is None:
            return make_response(_page({"email": messages.NO_USER_OF_ADDRESS}), 422)
        name = str(user.id)
    elif (kind, name) != (Kind.EVERYTHING, "") and not (kind == Kind.TASK and name in backend().catalog):
        abort(404, description=messages.NO_SUCH_PAUSE)
    pauses.pause(backend().database, Kind(kind), name, reason, current_user.email)
    return redirect(url_for("pauses.index"), 303)


@bp.post("/resume")
def resume() -> Response:
    kind, name = request.form.get("kind", ""), request.form.get("name", "")
    if kind not in set(Kind):
        abort(404, description=messages.NO_SUCH_PAUSE)
    pauses.resume(backend().database, Kind(kind), name)
    return redirect(url_for("pauses.index"), 303)


def _page(errors: dict[str, str] | None = None) -> str:
    with backend().database.read() as session:
        found = [pause for pause in pauses.listed(session) if pause.kind != Kind.WORKER]
        emails = users.emails_of(session, {pause.owner_id for pause in found if pause.owner_id})
    return render_template(
        "admin/pauses.html",
        pauses=found,
        emails=emails,
        tasks=backend().catalog.values(),
        errors=errors or {},
        form=request.form,
        most=pauses.LONGEST_REASON,
    )


def _one_line(name: str) -> str:
    return " ".join(request.form.get(name, "").replace("\x00", "").split())
