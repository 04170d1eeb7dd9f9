"""Runs: list, read, wait, cancel, retry, delete, output, result and files."""

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Response, jsonify, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from jobs.runs import (
    LARGEST_ID,
    Conflict,
    Existing,
    OutputKind,
    Run,
    State,
    delete_run,
    read_output,
    rights,
    submission,
    wait_estimates,
)
from webapp.accounts import tokens
from webapp.accounts.tokens import FILES, RUNS_READ, RUNS_WRITE
from webapp.api import messages, representations, waiting
from webapp.api.authentication import caller, needs
from webapp.api.blueprint import bp
from webapp.api.body import choice, refuse_query, whole_number
from webapp.current import backend
from webapp.problems import refuse
from webapp.rendering import files
from webapp.rendering.listings import PAGE_SIZE
from webapp.runs import history, list_export
from webapp.runs.history import Place
from webapp.runs.known_tasks import past_tasks
from webapp.runs.messages import NO_LOG, NO_RUN
from webapp.runs.query import Query, parse

MOST_RUNS = 100


@bp.get("/runs", endpoint="runs")
@needs(RUNS_READ)
def index() -> Response:
    """List runs, newest first. `Link` has the addresses of the pages before and after."""
    query, limit = _query(), whole_number("limit", PAGE_SIZE, 1, MOST_RUNS)
    place = Place(*(whole_number(name, 0, 1, LARGEST_ID) or None for name in ("before", "after")))
    if place.before and place.after:
        refuse_query("after", messages.ONE_PLACE)
    found = history.look(backend().database, query, caller().account.id, place, limit)
    expected = found.page.wait_estimates
    runs = [representations.run(run, expected.get(run.id)) for run in found.page.runs]
    response = jsonify(runs=runs, searched_back_to=representations.time(found.stopped_time), unindexed=found.unindexed)
    links = [_link("next", "before", found.older.before)] if found.older else []
    links += [_link("prev", "after", found.newer.after)] if found.newer else []
    if links:
        response.headers["Link"] = ", ".join(links)
    return response


@bp.get("/runs.csv", endpoint="runs_as_csv", defaults={"form": "csv"})
@bp.get("/runs.jsonl", endpoint="runs_as_json_lines", defaults={"form": "jsonl"})
@needs(RUNS_READ)
def export(form: str) -> Response:
    """Download all runs that a search finds, newest first, for as long as the token is valid."""
    of_program, database = caller(), backend().database
    still = partial(tokens.still_valid, database, [of_program.token.id])
    return list_export.response(form, _query(), of_program.account.id, lambda: bool(still()))


def _query() -> Query:
    """Return the query of a request: `q` in the words of the history, with `task` and `state` beside it."""
    titles = history.titles(past_tasks(caller().account.id))
    task, state = request.args.get("task"), choice("state", list(State))
    query = parse(request.args.get("q", ""), titles)
    if query.problems:
        refuse_query("q", " ".join(query.problems))
    if (query.task and task is not None) or (query.state and state is not None):
        refuse_query("q", messages.GIVEN_TWICE)
    tag, starred = (
        request.args.get("tag", "").replace("\x00", "").lower() or None,
        choice("starred", ["yes"]) is not None,
    )
    query = replace(query, task=query.task or task, state=query.state or (State(state) if state else None))
    query = replace(query, tag=query.tag or tag, starred=query.starred or starred or None)
    if caller().token.tasks and query.task not in caller().token.tasks:
        refuse(403, messages.NAME_TASK.format(tasks=", ".join(caller().token.tasks)))
    return query


def _link(rel: str, name: str, run_id: int | None) -> str:
    kept = {key: value for key, value in request.args.items() if key not in ("before", "after")}
    return f'<{url_for("api.runs")}?{urlencode({**kept, name: run_id})}>; rel="{rel}"'


@bp.get("/runs/<int:run_id>", endpoint="run")
@needs(RUNS_READ)
def show(run_id: int) -> Response:
    """Return a run; with `wait`, as soon as its version differs from `version` or after that many seconds."""
    seconds = whole_number("wait", 0, 0, waiting.LONGEST_SECONDS)
    version = whole_number("version", 0, 0, LARGEST_ID)
    run = seen(run_id)
    if waiting.wants_events():
        return waiting.events(run, caller())
    return waiting.poll(run, caller(), seconds) if seconds and run.version == version else answer(run)


@bp.get("/runs/<int:run_id>/output", endpoint="output")
@needs(RUNS_READ)
def output(run_id: int) -> dict[str, object]:
    """Return the entries of the log, or with `kind=emitted` the partial results, after the number `after`."""
    run = seen(run_id)
    if not run.access.log:
        refuse(404, NO_LOG)
    kind = OutputKind(choice("kind", list(OutputKind)) or OutputKind.LOG)
    found = read_output(backend().database, run.id, kind, whole_number("after", 0, 0, 2**53))
    entries = [entry for batch in found.batches for entry in representations.batch(batch, run.id, run.access.files)]
    return {"entries": entries, "dropped": found.dropped, "version": found.version}


@bp.get("/runs/<int:run_id>/result", endpoint="result")
@needs(RUNS_READ)
def result(run_id: int) -> Response:
    """Return the result alone."""
    run = seen(run_id)
    if run.state is not State.SUCCEEDED:
        refuse(409, messages.NO_RESULT.format(state=run.state.value))
    return jsonify(representations.with_addresses(run.result, run.id, run.access.files))


@bp.post("/runs/<int:run_id>/cancel", endpoint="cancel")
@needs(RUNS_WRITE)
def cancel(run_id: int) -> Response:
    """Cancel a queued run, or ask a running one to stop."""
    return answer(cancelled(mine(run_id)))


@bp.post("/runs/<int:run_id>/retry", endpoint="retry")
@needs(RUNS_WRITE)
def retry(run_id: int) -> Response:
    """Run again: a failed or cancelled run is queued for its next attempt, of a succeeded one a new run starts."""
    try:
        again = submission.retry(backend(), caller().account.id, mine(run_id))
    except Conflict as conflict:
        refuse(409, str(conflict))
    return answer(again, HTTPStatus.OK if again.id == run_id else HTTPStatus.CREATED)


@bp.delete("/runs/<int:run_id>", endpoint="delete")
@needs(RUNS_WRITE)
def delete(run_id: int) -> Response:
    """Delete a run that has ended, with its output, result and files."""
    try:
        delete_run(backend(), caller().account.id, mine(run_id).id)
    except Conflict as conflict:
        refuse(409, str(conflict))
    return Response(status=HTTPStatus.NO_CONTENT)


@bp.get("/runs/<int:run_id>/files/<sha256>", endpoint="file")
@needs(FILES)
def file(run_id: int, sha256: str) -> BaseResponse:
    """Download a file of a run."""
    return files.show(seen(run_id).id, sha256)


def answer(run: Run, status: HTTPStatus = HTTPStatus.OK, existing: Existing | None = None) -> Response:
    """Return the response with a run; to a submission, with why it was there before."""
    expected = wait_estimates(backend().database, [run]) if run.access.owns else {}
    shown = representations.run(run, expected.get(run.id))
    response = jsonify(shown | ({"existing": existing.value} if existing else {}))
    response.status_code = status
    response.headers["ETag"] = f'"{run.version}"'
    if status == HTTPStatus.CREATED:
        response.headers["Location"] = url_for("api.run", run_id=run.id)
    return response


def cancelled(run: Run) -> Run:
    """Return a run after cancelling it, or asking it to stop."""
    try:
        submission.cancel(backend(), caller().account.id, run.id)
    except Conflict as conflict:
        refuse(409, str(conflict))
    return mine(run.id)


def seen(run_id: int) -> Run:
    """Return a run that the caller sees, as much of it as they see.

    One that they do not see, or of a task that the token is not for, is like none.
    """
    with backend().database.read() as session:
        run = rights.see(session, caller().account.id, min(run_id, LARGEST_ID))
    return run if run and caller().is_for(run.task) else refuse(404, NO_RUN)


def mine(run_id: int) -> Run:
    """Return a run of the caller's own, as above."""
    run = seen(run_id)
    return run if run.access.owns else refuse(404, NO_RUN)
