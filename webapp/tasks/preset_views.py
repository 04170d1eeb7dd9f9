"""Save, load, change and delete presets of a task."""

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.authoring import Task
from jobs.runs import Selection, listed, presets
from webapp import forms, rights
from webapp.current import backend
from webapp.runs.own_inputs import own_inputs
from webapp.tasks import messages
from webapp.tasks.preset_inputs import first_problem, fitting, kept_inputs, left_out

bp = Blueprint("presets", __name__)

NONE = "none"
MOST_LINKS = 8
LARGEST_JSON = 100_000


@dataclass(frozen=True)
class Shelf:
    """The presets of a task that its page offers, the one that fills the form, and what of it no longer fits.

    `last_run` is the person's newest run of the task, which has their last inputs.
    """

    listed: list[presets.Preset]
    loaded: presets.Preset | None = None
    values: dict[str, Any] = field(default_factory=dict)
    misfits: list[str] = field(default_factory=list)
    last_run: int | None = None

    @property
    def links(self) -> list[presets.Preset]:
        return self.listed[:MOST_LINKS]


def shelf_of(task: Task) -> Shelf:
    """Return a task's presets, with the one that the address names, or else the person's default."""
    asked = request.args.get("preset", "")
    with backend().database.read() as session:
        found = list(presets.listed(session, current_user.id, task.name))
        runs = listed(session, Selection(current_user.id, task.name, limit=1))
        loaded = None
        if asked.isdecimal():
            loaded = next((one for one in found if str(one.id) == asked), None)
            if loaded is None:
                abort(404, description=messages.NO_PRESET)
        elif asked != NONE and request.method == "GET" and request.args.keys().isdisjoint(("run", "example")):
            loaded = presets.default_of(session, current_user.id, task.name)
    values, misfits = fitting(task, loaded.parameters) if loaded else ({}, [])
    return Shelf(found, loaded, values, misfits, runs[0].id if runs else None)


@bp.get("/tasks/<name>/presets")
def index(name: str) -> str:
    return _page(_runnable(name))


@bp.post("/tasks/<name>/presets")
def save(name: str) -> Response:
    """Save the inputs of the task's form, under a name made of them, which its owner then changes."""
    task = _runnable(name)
    form = forms.read(task, request.form, own_inputs())[1]
    problem, inputs = first_problem(form), kept_inputs(task, form)
    if problem or inputs is None or len(str(inputs)) > LARGEST_JSON:
        return _answer(task, problem or messages.NO_INPUTS_KEPT)
    try:
        preset = presets.save(backend().database, current_user.id, task.name, messages.NEW_PRESET, inputs)
    except presets.TooManyPresets:
        return _answer(task, messages.TOO_MANY_PRESETS)
    return _answer(task, editing=preset.id, is_saved=True)


@bp.post("/tasks/<name>/presets/<row:preset_id>")
def change(name: str, preset_id: int) -> Response:
    task, preset = _changeable(name, preset_id)
    new = " ".join(request.form.get("name", "").replace("\x00", "").split())
    if not new or len(new) > presets.LONGEST_NAME:
        return _answer(task, messages.PRESET_NAME.format(most=presets.LONGEST_NAME), preset.id)
    is_mine = preset.owner_id == current_user.id
    is_default = "default" in request.form if is_mine else preset.is_default
    try:
        presets.change(backend().database, preset, new, "shared" in request.form, is_default)
    except presets.NameTaken:
        return _answer(task, messages.PRESET_NAME_TAKEN, preset.id)
    return _answer(task)


@bp.post("/tasks/<name>/presets/<row:preset_id>/delete")
def delete(name: str, preset_id: int) -> Response:
    task, preset = _changeable(name, preset_id)
    presets.remove(backend().database, preset)
    return _answer(task)


def _runnable(name: str) -> Task:
    task = rights.visible().get(name) or abort(404, description=messages.NO_TASK)
    rights.require(task)
    return task


def _changeable(name: str, preset_id: int) -> tuple[Task, presets.Preset]:
    """Return a task and a preset of it that the person may change."""
    task = _runnable(name)
    with backend().database.read() as session:
        preset = presets.found(session, current_user.id, task.name, preset_id)
    if preset is None:
        abort(404, description=messages.NO_PRESET)
    if not rights.changes_preset(preset):
        abort(403, description=messages.NOT_YOUR_PRESET)
    return task, preset


def _answer(task: Task, problem: str = "", editing: int | None = None, is_saved: bool = False) -> Response:
    """Return the presets on the task's page for htmx, or else the page of the task's presets."""
    status = 422 if problem else 200
    if "HX-Request" in request.headers:
        values = {"problem": problem, "editing": editing, "is_saved": is_saved}
        html = render_template(
            "tasks/_presets.html", task=task, shelf=shelf_of(task), left_out=left_out(task), **values
        )
        return make_response(html, status)
    if problem:
        return make_response(_page(task, problem, editing), status)
    return redirect(url_for("presets.index", name=task.name, _anchor=f"preset-{editing}" if editing else None), 303)


def _page(task: Task, problem: str = "", editing: int | None = None) -> str:
    values = {"shelf": shelf_of(task), "left_out": left_out(task), "problem": problem, "editing": editing}
    return render_template("tasks/presets.html", task=task, **values)
