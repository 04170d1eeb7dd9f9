"""Changes of a run's name, note, tags and star."""

from http import HTTPStatus

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import Annotations, Refused, annotate, tags_in
from webapp.current import backend
from webapp.rendering import fragments
from webapp.runs.output import sections
from webapp.runs.views import mine, seen

bp = Blueprint("annotations", __name__)


@bp.post("/runs/<int:run_id>/about")
def save(run_id: int) -> Response:
    """Save a run's name, note and tags. A form that cannot be saved is shown again as it was entered."""
    mine(run_id)
    entered = {name: request.form.get(name, "") for name in ("name", "note", "tags")}
    given = Annotations(entered["name"], entered["note"], tags_in(entered["tags"]))
    try:
        annotate(backend(), current_user.id, run_id, given)
    except Refused as refused:
        return _shown(run_id, fragments.Unsaved(entered, refused.problems))
    return _shown(run_id)


@bp.post("/runs/<int:run_id>/star")
def star(run_id: int) -> Response:
    """Star a run, or take the star away."""
    mine(run_id)
    annotate(backend(), current_user.id, run_id, Annotations(starred=request.form.get("starred") == "yes"))
    return _shown(run_id)


def _shown(run_id: int, unsaved: fragments.Unsaved | None = None) -> Response:
    """Answer with the part of the page that has changed, or for a plain form with the page."""
    in_place = bool(request.headers.get("HX-Request"))
    if not (in_place or unsaved):
        return redirect(url_for("runs.show", run_id=run_id), 303)
    page = seen(run_id)
    run, expected = page.runs[0], page.wait_estimates.get(run_id)
    if unsaved and in_place:
        place = {"HX-Retarget": f"#run-{run_id}-about"}
        return make_response(fragments.about(run, unsaved), HTTPStatus.UNPROCESSABLE_ENTITY, place)
    if in_place:
        return make_response(fragments.full(run, expected, code=page.listing.code))
    values = {"run": run, "page": page, "expected": expected, "output": sections(backend().database, run)}
    shown = render_template("runs/show.html", unsaved=unsaved, **values)
    return make_response(shown, HTTPStatus.UNPROCESSABLE_ENTITY)
