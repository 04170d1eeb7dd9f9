"""Views of tasks: the form, its validation and the resulting runs."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from pydantic import BaseModel
from werkzeug.wrappers import Response

from jobs.authoring import Task, TaskError, reopened
from jobs.runs import Asked, NotKept, Submitted, TooManyRuns, given_parameters, wait_estimates
from webapp import forms, rights
from webapp.current import backend
from webapp.forms import Form
from webapp.rendering import fragments
from webapp.rendering.listings import Listing, from_query, look_up, of_run
from webapp.runs import uploads
from webapp.runs.known_tasks import submit_recorded
from webapp.runs.own_inputs import own_inputs
from webapp.runs.uploads import Received
from webapp.tasks import messages, when
from webapp.tasks.preset_views import Shelf, shelf_of
from webapp.tasks.start import start_page
from webapp.tasks.when import When

bp = Blueprint("tasks", __name__)

log = logging.getLogger(__name__)

LATEST = 5
LATEST_OF_TASK = 10
OWNER = "_owner"
EXAMPLE = "_example"


@bp.get("/")
def index() -> str:
    page = look_up(backend().database, Listing(current_user.id, limit=LATEST, running_first=True))
    start = start_page(request.args.get("q", ""))
    return render_template("tasks/index.html", start=start, is_empty=not backend().catalog, page=page)


@bp.get("/tasks/<name>")
def show(name: str) -> str:
    task = _task(name)
    if not rights.mine().runs(task):
        return _page(task, None)
    if "example" in request.args:  # without its files, which only a POST may store
        texts = {field.name for field in forms.fields_of(task) if not forms.has_files([field])}
        example = {name: value for name, value in (task.example or {}).items() if name in texts}
        return _page(task, forms.blank(task, example, own_inputs()))
    shelf = shelf_of(task)
    return _page(task, forms.blank(task, {**shelf.values, **_earlier(task)}, own_inputs()), shelf=shelf)


@bp.post("/tasks/<name>")
def run(name: str) -> Response:
    task = _task(name)
    rights.require(task)
    wants_fragment = bool(request.headers.get("HX-Request"))
    show = _form if wants_fragment else _page
    sent = uploads.receive(task)
    if _is_of_another(sent.posted):
        return make_response(show(task, _taken_over(task, sent.posted)), 409)
    if EXAMPLE in sent.posted:
        return make_response(show(task, forms.blank(task, task.example or {}, uploads.example_of(task))))
    if forms.CHANGE in sent.posted:
        changed = forms.change(task, sent.posted, sent.own)
        return make_response(show(task, changed, when.read(sent.posted, changed)))
    parameters, form = forms.read(task, sent.posted, sent.own)
    asked = when.read(sent.posted, form)
    try:
        new, form = (None, form) if asked.problem else _submitted(task, sent, parameters, form, asked)
    except TooManyRuns as error:
        return make_response(
            show(task, form.refused({"": str(error)}), asked), 429, {"Retry-After": str(error.seconds)}
        )
    if new is None:
        return make_response(show(task, form, asked), 422)
    page = url_for("runs.show", run_id=new.run.id, instead=new.existing)
    if not wants_fragment:
        return redirect(page, 303)
    if new.existing:
        return Response(status=204, headers={"HX-Redirect": page})
    form_again = fragments.partial("#task-form", "outerMorph", _form(task, replace(form, errors={}), asked))
    expected = wait_estimates(backend().database, [new.run]).get(new.run.id)
    response = make_response(fragments.row(new.run, expected, titled=False) + form_again)
    response.headers["HX-Retarget"] = "#runs-list"
    response.headers["HX-Reswap"] = "afterbegin"
    return response


@bp.post("/tasks/<name>/check")
def check(name: str) -> str:
    """Validate a form that is being filled in. Files are ignored and nothing is stored."""
    task = _task(name)
    rights.require(task)
    form = forms.check(task, request.form, own_inputs())
    return render_template("tasks/_check_results.html", task=task, form=form, show_problems="_problems" in request.form)


def _is_of_another(posted: Mapping[str, str]) -> bool:
    """Return whether another account has logged in, in another tab, since the form was shown."""
    return posted.get(OWNER, str(current_user.id)) != str(current_user.id)


def _taken_over(task: Task, posted: Mapping[str, str]) -> Form:
    """Return the form for the current user, without the other user's files and secrets and without a run."""
    form = forms.check(task, posted, own_inputs())
    return replace(form, errors={**form.errors, "": messages.OTHER_ACCOUNT.format(email=current_user.email)})


def _submitted(
    task: Task, sent: Received, parameters: BaseModel | None, form: Form, asked: When
) -> tuple[Submitted | None, Form]:
    """Submit a run. Return it with the form, or None with the form that shows the errors. Raises TooManyRuns."""
    if parameters is None:
        return None, form
    try:
        return submit_recorded(task, current_user.id, parameters, Asked(due_at=asked.due_at)), form
    except NotKept:  # a file was deleted since the form was read; reading it again reports which
        return None, forms.read(task, sent.posted, sent.own)[1]
    except TaskError as error:
        log.error("%s", error)
        return None, form.refused({"": messages.NOT_STORABLE})


def _earlier(task: Task) -> dict[str, Any]:
    """Return the parameters of the run in the query string if the user sees them and it is of this task, or none.

    Of a run that somebody else shares, they are those that its page shows, with marks instead of secrets.
    """
    run_id = from_query(current_user.id, request.args).run_id
    access = rights.access(run_id) if run_id else None
    if run_id is None or access is None or not access.parameters or access.task != task.name:
        return {}
    runs = look_up(backend().database, of_run(access, run_id)).runs
    if not runs:
        return {}
    return given_parameters(backend(), runs[0]) if access.owns else dict(reopened(runs[0].parameters, None))


def _task(name: str) -> Task:
    return rights.visible().get(name) or abort(404, description=messages.NO_TASK)


def _page(task: Task, form: Form | None, asked: When | None = None, shelf: Shelf | None = None) -> str:
    page = look_up(backend().database, Listing(current_user.id, task=task.name, limit=LATEST_OF_TASK, titled=False))
    known = backend().vault.names(current_user.id) if task.secrets else []
    missing = [name for name in task.secrets if name not in known]
    values = {"task": task, "form": form, "page": page, "missing": missing, "when": asked}
    return render_template("tasks/show.html", **values, shelf=shelf or shelf_of(task))


def _form(task: Task, form: Form, asked: When | None = None) -> str:
    return render_template("tasks/_form.html", task=task, form=form, when=asked)
