"""Views of runs: the history, one run, its tables, cancel, retry and delete."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import (
    Conflict,
    RefusedFilter,
    Run,
    State,
    delete_run,
    saved_filters,
    stored_in,
    submission,
    tags_of,
)
from jobs.values import chart_in
from webapp import rights
from webapp.accounts import sessions
from webapp.current import backend
from webapp.rendering import charts, fragments, tables
from webapp.rendering.listings import Page, look_up, of_run
from webapp.rendering.tables import Table, table_in
from webapp.runs import history, list_export, messages
from webapp.runs.known_tasks import past_tasks
from webapp.runs.output import LEVELS, LONGEST_QUERY, sections
from webapp.runs.query import LONGEST, Query, parse
from webapp.runs.suggestions import suggested

bp = Blueprint("runs", __name__)

MOST_STEPS = 10


@bp.get("/runs")
def index() -> str | Response:
    """Show the history; what the form sends leads to the address that has all of it as a query."""
    past = past_tasks(current_user.id)
    query = history.query_from(request.args, history.titles(past))
    if "was" in request.args:
        return redirect(url_for("runs.index", q=query.text or None))
    return _history(query, past)


def _history(query: Query, past: Mapping[str, str], name: str = "", error: str = "") -> str:
    """Return the page of the history, with the name under which its query could not be saved, and why."""
    found = history.look(backend().database, query, current_user.id, history.place_from(request.args))
    values = {"tasks": rights.visible().values(), "past_tasks": past, "states": list(State), "name": name}
    filters = history.counted(backend().database, current_user.id, history.titles(past))
    given = {"page": found.page, "history": found, "query": query, "filters": filters, "error": error}
    given["tags"] = tags_of(backend().database, current_user.id)
    return render_template("runs/index.html", **given, **values)


@bp.post("/runs/filters")
def save_filter() -> str | Response:
    """Save the query of the page under a name, which takes the place of one with this name."""
    past = past_tasks(current_user.id)
    query, name = parse(request.form.get("q", ""), history.titles(past)), request.form.get("name", "")
    try:
        name = _name()
        if not query.text or query.problems:
            raise RefusedFilter(messages.NOTHING_TO_SAVE)
        saved_filters.save(backend().database, current_user.id, name, query.text)
    except RefusedFilter as error:
        return make_response(_history(query, past, name, str(error)), 422)
    return redirect(url_for("runs.index", q=query.text), 303)


@bp.post("/runs/filters/<row:filter_id>/rename")
def rename_filter(filter_id: int) -> str | Response:
    past = past_tasks(current_user.id)
    try:
        saved_filters.rename(backend().database, current_user.id, filter_id, _name())
    except RefusedFilter as error:
        return make_response(_history(parse("", {}), past, error=str(error)), 422)
    return redirect(url_for("runs.index"), 303)


@bp.post("/runs/filters/<row:filter_id>/delete")
def delete_filter(filter_id: int) -> Response:
    saved_filters.remove(backend().database, current_user.id, filter_id)
    return redirect(url_for("runs.index"), 303)


def _name() -> str:
    """Return the name that was entered for a filter. Raises RefusedFilter."""
    name = " ".join(request.form.get("name", "").replace("\x00", "").split())
    if not 1 <= len(name) <= saved_filters.LONGEST_NAME:
        raise RefusedFilter(messages.NAME_FILTER.format(most=saved_filters.LONGEST_NAME))
    return name


@bp.get("/runs/export.csv", defaults={"form": "csv"})
@bp.get("/runs/export.jsonl", defaults={"form": "jsonl"})
def export(form: str) -> Response:
    """Download the runs that a query finds, for as long as the session lasts."""
    query = parse(request.args.get("q", ""), history.titles(past_tasks(current_user.id)))
    if query.problems:
        abort(400, description=" ".join(query.problems))
    database, number = backend().database, sessions.number_of(current_user.session_id)
    return list_export.response(form, query, current_user.id, lambda: bool(sessions.current(database, {number})))


@bp.get("/runs/suggestions")
def suggestions() -> str:
    """Return the options that go on from what is in the search box."""
    text, titles = request.args.get("q", ""), history.titles(past_tasks(current_user.id))
    return render_template("runs/_suggestions.html", suggestions=suggested(text[:LONGEST], titles))


@bp.get("/runs/<int:run_id>")
def show(run_id: int) -> str:
    instead = messages.INSTEAD.get(request.args.get("instead", ""))
    return render_template("runs/show.html", **shown(run_id), instead=instead)


def shown(run_id: int) -> dict[str, Any]:
    """Return the values for the template of a run's page; the query string may name a text and a level of the log."""
    query = request.args.get("log", "").strip()[:LONGEST_QUERY]
    level = request.args.get("level", "")
    level = level if level in LEVELS else ""
    page = seen(run_id, output=not (query or level))
    run, expected = page.runs[0], page.wait_estimates.get(run_id)
    output = sections(backend().database, run, query, level) if run.access.log else ""
    return {"run": run, "page": page, "expected": expected, "output": output}


@bp.get("/runs/<int:run_id>/table")
def table(run_id: int) -> str:
    """Show a table in the result on a page of its own, or answer the part of a page that shows it."""
    run = seen(run_id, output=False).runs[0]
    view = tables.view(_table(run), request.args)
    known = stored_in(backend().database, run.id, run.result) if run.access.files else frozenset[str]()
    template = "results/_table_view.html" if request.headers.get("HX-Request") else "runs/table.html"
    values = {"run": run, "run_id": run.id, "view": view, "known": known, "brief": False}
    return render_template(template, part=request.args.get("part"), **values)


@bp.get("/runs/<int:run_id>/table.csv")
def table_csv(run_id: int) -> Response:
    """Download all rows of a table as CSV."""
    run = seen(run_id, output=False).runs[0]
    # Excel reads a CSV file as UTF-8 only if it starts with a byte order mark.
    content = _table(run).csv().encode("utf-8-sig")
    response = make_response(content, {"Content-Type": "text/csv; charset=utf-8"})
    response.headers.set("Content-Disposition", "attachment", filename=f"{run.task}-{run.id}.csv")
    return response


@bp.post("/runs/<int:run_id>/cancel")
def cancel(run_id: int) -> Response:
    mine(run_id)
    try:
        submission.cancel(backend(), current_user.id, run_id)
    except Conflict as conflict:
        abort(409, description=str(conflict))
    if not request.headers.get("HX-Request"):
        return redirect(url_for("runs.show", run_id=run_id), 303)
    page = seen(run_id)
    run, expected = page.runs[0], page.wait_estimates.get(run_id)
    if request.form.get("view") == "full":
        return make_response(fragments.full(run, expected, code=page.listing.code))
    return make_response(fragments.row(run, expected, titled=request.form.get("view") != "untitled"))


@bp.post("/runs/<int:run_id>/retry")
def retry(run_id: int) -> Response:
    try:
        again = submission.retry(backend(), current_user.id, mine(run_id))
    except Conflict as conflict:
        abort(409, description=str(conflict))
    return redirect(url_for("runs.show", run_id=again.id), 303)


@bp.post("/runs/<int:run_id>/delete")
def delete(run_id: int) -> Response:
    run = mine(run_id)
    try:
        delete_run(backend(), current_user.id, run.id)
    except Conflict as conflict:
        abort(409, description=str(conflict))
    return redirect(url_for("runs.index"), 303)


def _table(run: Run) -> Table:
    value = part_of(run.result, request.args.get("part", ""))
    chart = chart_in(value)
    table = Table(charts.rows(chart)) if chart else table_in(value)
    return table or abort(404, description=messages.NO_TABLE)


def part_of(value: Any, address: str) -> Any:
    """Return the part of a result at an address of item indexes from the outside in, such as `2.0`, or None."""
    for number in filter(None, address.split(".", MOST_STEPS)):
        values = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(values, list) or not number.isdecimal() or not 0 <= int(number[:9]) < len(values):
            return None
        value = values[int(number)]
    return value


def seen(run_id: int, output: bool = True) -> Page:
    """Return the page of a run that whoever asks sees, with as much of the run as they see, or abort with 404."""
    access = rights.access(run_id)
    listing = of_run(access, run_id, output, rights.sees_code()) if access else None
    page = look_up(backend().database, listing) if listing else None
    return page if page and page.runs else abort(404, description=messages.NO_RUN)


def mine(run_id: int) -> Run:
    """Return a run of the person's own, or abort with 404."""
    run = seen(run_id, output=False).runs[0]
    return run if run.access.owns else abort(404, description=messages.NO_RUN)
