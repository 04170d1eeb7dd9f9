"""Downloads of what a run has produced: a text of its result, its log, and everything in one archive."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from flask import Blueprint, Response, abort, make_response, request

from jobs.runs import Backend, OutputKind, Run, read_output, stored_in
from jobs.storage import utcnow
from jobs.values import html_in, markdown_in, references_in
from webapp.current import backend
from webapp.rendering.archive import Member, archived
from webapp.rendering.files import CHUNK_BYTES, safe_filename
from webapp.rendering.results import Result, full_result
from webapp.runs import messages
from webapp.runs.views import part_of, seen

bp = Blueprint("downloads", __name__)

TEXT = "text/plain; charset=utf-8"


@bp.get("/runs/<int:run_id>/text")
def text(run_id: int) -> Response:
    """Download a text in the result, of Markdown and HTML the source."""
    run = seen(run_id, output=False).runs[0]
    value = part_of(run.result, request.args.get("part", ""))
    found = value if isinstance(value, str) else markdown_in(value) or html_in(value)
    if found is None:
        abort(404, description=messages.NO_TEXT)
    return _attachment(make_response(found, {"Content-Type": TEXT}), f"{run.task}-{run.id}.txt")


@bp.get("/runs/<int:run_id>/log.txt")
def log(run_id: int) -> Response:
    """Download the log, with times in UTC."""
    run = seen(run_id, output=False).runs[0]
    if not run.access.log:
        abort(404, description=messages.NO_LOG)
    lines = "".join(_lines(backend(), run))
    return _attachment(make_response(lines, {"Content-Type": TEXT}), f"{run.task}-{run.id}-log.txt")


@bp.get("/runs/<int:run_id>/everything.zip")
def everything(run_id: int) -> Response:
    """Download the result as JSON, its tables as CSV, its files and the log in one archive."""
    run = seen(run_id, output=False).runs[0]
    members = _members(backend(), run, full_result(run))
    response = Response(archived(members, run.ended_at or utcnow()), mimetype="application/zip")
    return _attachment(response, f"{run.task}-{run.id}.zip")


def _attachment(response: Response, name: str) -> Response:
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _members(backend: Backend, run: Run, result: Result) -> Iterator[Member]:
    if run.result is not None:
        yield "result.json", [json.dumps(run.result, ensure_ascii=False, indent=2).encode()]
    for name, table in _tables(result):
        yield name, [table.encode("utf-8-sig")]
    known = stored_in(backend.database, run.id, run.result) if run.access.files else frozenset[str]()
    for reference in reversed(list(references_in(run.result))):
        if reference.sha256 in known:
            known -= {reference.sha256}
            try:
                stream = backend.files.open(reference.sha256)
            except FileNotFoundError:
                continue
            yield safe_filename(getattr(reference, "name", "image.png")), _chunks(stream)
    if run.access.log and (lines := "".join(_lines(backend, run))):
        yield "log.txt", [lines.encode()]


def _tables(result: Result, name: str = "table") -> Iterator[tuple[str, str]]:
    """Yield every table of a result as CSV, named by where it is."""
    if result.table and result.shape == "table":
        yield safe_filename(f"{name}.csv"), result.table.csv()
    elif result.shape in ("several", "mapping"):
        for _, parts in result.blocks:
            for label, part in parts:
                yield from _tables(part, label or name)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _lines(backend: Backend, run: Run) -> Iterator[str]:
    for batch in read_output(backend.database, run.id, OutputKind.LOG).batches:
        for at, source, content in batch.entries:
            moment = datetime.fromtimestamp(at, UTC)
            level = "" if source == "out" else f"{source}: "
            yield f"{moment:%Y-%m-%d %H:%M:%S}Z {level}{content}\n"
