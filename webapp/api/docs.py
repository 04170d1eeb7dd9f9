"""The page of the API: what /api/openapi.json describes, for people, with a form to try each call."""

from collections.abc import Mapping

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from webapp.accounts.tokens import SCOPES
from webapp.api import messages, openapi, reference, trials
from webapp.api.trials import BODY, Trial
from webapp.current import API

bp = Blueprint("docs", __name__)


@bp.get("/api/docs")
def index() -> str:
    """Show the page. As the description itself, it is for those who may see the tasks: whoever is signed in."""
    return _page({})


@bp.get("/api/docs/<operation_id>")
def show(operation_id: str) -> Response:
    """Redirect to an operation on the page, for an address that a plain form has left in the browser."""
    return redirect(url_for("docs.index", _anchor=operation_id), 303)


@bp.post("/api/docs/<operation_id>")
def attempt(operation_id: str) -> str:
    """Try a call. htmx gets its form with the answer, a plain form gets the page with both."""
    operation = reference.operations(openapi.for_person(current_user.id)).get(operation_id)
    if operation is None or not operation.can_be_tried:
        abort(404, description=messages.NO_OPERATION)
    trial = trials.tried(operation, request.form)
    if request.headers.get("HX-Request"):
        return render_template("api/_trial.html", operation=operation, trial=trial, body=BODY)
    return _page({operation.id: trial})


def _page(tried: Mapping[str, Trial]) -> str:
    document = openapi.for_person(current_user.id)
    operations = reference.operations(document)
    return render_template(
        "api/index.html",
        server=document["servers"][0]["url"],
        api=API,
        operations=operations.values(),
        objects=reference.objects(document),
        scopes=SCOPES,
        tried=tried,
        trials={name: tried.get(name, Trial({BODY: one.example})) for name, one in operations.items()},
        body=BODY,
    )
