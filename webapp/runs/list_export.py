"""The runs that a search finds as CSV or JSON lines, written while they are sent, so that few are in memory at once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
from flask import Response, abort, current_app

from jobs.runs import Run, Search, find, owned
from jobs.storage import Database, utcnow
from webapp.current import backend
from webapp.rendering.tables import csv_line
from webapp.runs import messages
from webapp.runs.known_tasks import known_task
from webapp.runs.query import Query

AT_ONCE = 100
TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
TIMES = ("created_at", "started_at", "ended_at")

Check = Callable[[], bool]


def response(form: str, query: Query, owner_id: int, may_go_on: Check) -> Response:
    """Return the response with the runs that a query finds, newest first, in one of TYPES.

    Before every hundred runs it is checked whether it may go on. A second download of a person waits for its turn with
    429: both would only be slower, and so would everybody else.
    """
    downloading: set[int] = current_app.extensions.setdefault("downloading", set())
    if owner_id in downloading:
        abort(429, description=messages.DOWNLOADING)
    downloading.add(owner_id)
    inputs = list(known_task(query.task).fields) if query.task else None
    runs = _found(backend().database, query.search(owner_id), may_go_on)
    lines = _csv(runs, inputs) if form == "csv" else _json_lines(runs)
    answer = Response(_until_closed(lines, lambda: downloading.discard(owner_id)), mimetype=TYPES[form])
    answer.call_on_close(lambda: downloading.discard(owner_id))  # also if nothing of it was read
    answer.headers.set("Content-Disposition", "attachment", filename=f"runs-{utcnow():%Y-%m-%d}.{form}")
    return answer


def _until_closed(lines: Iterator[str], release: Callable[[], None]) -> Iterator[bytes]:
    try:
        for line in lines:
            yield line.encode(errors="replace")
            gevent.sleep(0)  # writing to a fast reader gives no other request its turn
    finally:
        release()


def _found(database: Database, search: Search, may_go_on: Check) -> Iterator[Run]:
    """Yield the runs that a search finds. Each is read by itself, because its result may be large."""
    place = search.before
    while may_go_on():
        found = find(database, replace(search, before=place), AT_ONCE)
        for run_id in found.run_ids:
            with database.read() as session:
                run = owned(session, search.owner_id, run_id)
            if run:
                yield run
        if found.stopped_at is None and len(found.run_ids) < AT_ONCE:
            return
        place = found.stopped_at or found.run_ids[-1]


def _json_lines(runs: Iterator[Run]) -> Iterator[str]:
    for run in runs:
        failed = {"kind": run.error_kind, "message": run.error_message}
        error = failed if run.error_kind or run.error_message else None
        values = {**_facts(run), "parameters": run.parameters, "result": run.result, "error": error}
        yield json.dumps(values, ensure_ascii=False) + "\n"


def _csv(runs: Iterator[Run], inputs: list[str] | None) -> Iterator[str]:
    """Yield the lines of a table, with a column for each input if all runs are of one task."""
    columns = ["parameters"] if inputs is None else [f"input.{name}" for name in inputs]
    facts = list(_facts(Run()))
    # Excel reads a CSV file as UTF-8 only if it starts with a byte order mark.
    yield "\ufeff" + csv_line([*facts, *columns, "result", "error_kind", "error_message"])
    for run in runs:
        given: list[Any] = [run.parameters] if inputs is None else [run.parameters.get(name) for name in inputs]
        yield csv_line([*_facts(run).values(), *given, run.result, run.error_kind, run.error_message])


def _facts(run: Run) -> dict[str, Any]:
    times = {name: getattr(run, name) for name in TIMES}
    return {
        "id": run.id,
        "task": run.task,
        "state": run.state and run.state.value,
        "attempt": run.attempt,
        **{name: at and at.isoformat() for name, at in times.items()},
        "seconds": run.seconds,
    }
