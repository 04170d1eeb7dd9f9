"""Actions on many runs: what they would do, their beginning, their progress and their end."""

from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import LARGEST_ID, bulk, owned, problem_with_tags
from webapp.current import backend
from webapp.rendering.query import whole_number
from webapp.runs import messages

bp = Blueprint("bulk", __name__, url_prefix="/runs/bulk")

SHOWN = 10


@bp.get("")
def preview() -> Response:
    """Show how many runs an action would be about, and the first ones."""
    return _preview(request.args)


@bp.post("")
def begin() -> Response:
    """Begin an action on the runs that were shown."""
    form = request.form
    filters, kind, tag = _filters(form), _kind(form), form.get("new_tag", "").strip().removeprefix("#").lower()
    if kind == bulk.Action.TAG and (problem := problem_with_tags([tag]) if tag else messages.NO_TAG):
        return _preview(form, {"new_tag": problem})
    below = whole_number(form.get("below")) or abort(400)
    total = bulk.count(backend().database, current_user.id, filters)
    action = bulk.BulkAction(
        owner_id=current_user.id, action=kind, tag=tag, filters=filters, below=min(below, LARGEST_ID), total=total
    )
    try:
        action_id = bulk.begin(backend().database, action)
    except bulk.TooManyActions:
        abort(409, description=messages.TOO_MANY_ACTIONS.format(most=bulk.MOST_GOING_ON))
    return redirect(url_for("bulk.show", action_id=action_id), 303)


@bp.get("/<row:action_id>")
def show(action_id: int) -> str:
    template = "runs/_bulk_progress.html" if request.headers.get("HX-Request") else "runs/bulk.html"
    return render_template(template, action=_mine(action_id), most=bulk.MOST_COUNTED, words=messages.BULK)


@bp.post("/<row:action_id>/abort")
def stop(action_id: int) -> Response:
    bulk.abort(backend().database, current_user.id, _mine(action_id).id)
    return redirect(url_for("bulk.show", action_id=action_id), 303)


def _mine(action_id: int) -> bulk.BulkAction:
    return bulk.of_owner(backend().database, current_user.id, action_id) or abort(404, description=messages.NO_ACTION)


def _kind(form: Any) -> bulk.Action:
    kind = form.get("action", "")
    return bulk.Action(kind) if kind in set(bulk.Action) else abort(400, description=messages.NO_ACTION)


def _filters(form: Any) -> dict[str, str]:
    """Return the filters of the history's address, or the runs that were chosen one by one, or found by a search."""
    chosen = form.getlist("run") or [one for one in form.get("shown", "").split(".") if one]
    if chosen:
        return {"chosen": ".".join(chosen[: bulk.MOST_CHOSEN])}
    return {name: form[name].replace("\x00", "") for name in bulk.FILTERS if form.get(name)}


def _preview(form: Any, errors: dict[str, str] | None = None) -> Response:
    filters, kind, database = _filters(form), _kind(form), backend().database
    with database.read() as session:
        ids = bulk.following(session, current_user.id, filters, None, SHOWN)
        runs = [run for one in ids if (run := owned(session, current_user.id, one))]
    shown = render_template(
        "runs/bulk_preview.html",
        kind=kind,
        filters=filters,
        total=bulk.count(database, current_user.id, filters),
        most=bulk.MOST_COUNTED,
        runs=runs,
        below=ids[0] + 1 if ids else 0,
        errors=errors or {},
        new_tag=form.get("new_tag", ""),
        words=messages.BULK,
    )
    return make_response(shown, 422 if errors else 200)
