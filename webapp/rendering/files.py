"""Downloads of run files."""

import re
import unicodedata
from typing import BinaryIO

from flask import Blueprint, abort, request, send_file
from werkzeug.wrappers import Response
from werkzeug.wsgi import FileWrapper

from jobs.authoring import files_in
from jobs.runs import LARGEST_ID, Access, Run, owned, owned_file
from jobs.values import DRAWING, RunFile, references_in
from webapp import rights
from webapp.current import backend
from webapp.rendering import messages

bp = Blueprint("files", __name__)

SAFE_IMAGES = frozenset({"image/avif", "image/gif", "image/jpeg", "image/png", "image/webp"})
POLICY = "sandbox; default-src 'none'"
PDF = "application/pdf"
PDF_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
PDF_BEGINS = b"%PDF-"
DRAWING_POLICY = f"{POLICY}; style-src 'unsafe-inline'; img-src data:"
CACHED = "private, max-age=60, must-revalidate"  # so that little is left of a file after its owner has left
SHARED = "private, no-cache"  # a share may end at any moment
LONGEST_NAME = 100
CHUNK_BYTES = 64 * 1024


# A file's content is untrusted, and it is served from the site's own origin. Browsers must therefore not guess its
# type, may display only images that cannot run scripts, and sandbox even those. A drawing in SVG is an attachment too:
# as the image of a page it runs no script, and opened by itself it is saved. A PDF is displayed where a page asks for
# it, by the browser's own viewer, which runs apart from the site and would not start in a sandbox.
@bp.get("/runs/<int:run_id>/files/<sha256>")
def show(run_id: int, sha256: str) -> Response:
    access = rights.access(run_id)
    file, stream = opened(access, run_id, sha256)
    drawing, pdf = file.media_type == DRAWING, "inline" in request.args and _is_pdf(file, stream)
    safe = pdf or file.media_type in SAFE_IMAGES
    response: Response = send_file(
        stream,
        mimetype=file.media_type if safe else "image/svg+xml" if drawing else "application/octet-stream",
        as_attachment=not safe,
        download_name=safe_filename(file.name),
        conditional=False,  # send_file does not know a stream's size; make_conditional below is given it
        etag=file.sha256,
    )
    response.content_length = file.size
    response.headers["Content-Security-Policy"] = DRAWING_POLICY if drawing else PDF_POLICY if pdf else POLICY
    if pdf:
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Cache-Control"] = CACHED if access and access.owns else SHARED
    response.accept_ranges = "bytes"
    part = _one_range()
    if part:  # the web server's own file wrapper cannot seek and would read everything before the range
        response.response = FileWrapper(stream, CHUNK_BYTES)
    return response.make_conditional(request, accept_ranges=part, complete_length=file.size)


def _is_pdf(file: RunFile, stream: BinaryIO) -> bool:
    """Return whether a file is called a PDF and begins like one."""
    if file.media_type != PDF:
        return False
    begins = stream.read(len(PDF_BEGINS))
    stream.seek(0)
    return begins == PDF_BEGINS


def _one_range() -> bool:
    """Return whether the request asks for a single byte range; others get the whole file, as RFC 9110 allows."""
    wanted = request.range
    return wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1


def safe_filename(name: str) -> str:
    """Return a safe file name, without paths, control or invisible characters, and leading dots."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(one for one in last if unicodedata.category(one)[0] != "C").strip().lstrip(".").strip()
    return shown[-LONGEST_NAME:] or "file"


def opened(access: Access | None, run_id: int, sha256: str) -> tuple[RunFile, BinaryIO]:
    """Return a file of a run that is seen so, and a stream of its content, or abort with 404."""
    if access is None or not access.files or run_id > LARGEST_ID or not re.fullmatch("[0-9a-f]{64}", sha256):
        abort(404, description=messages.NO_FILE)
    with backend().database.read() as session:
        file = owned_file(session, access.owner_id, run_id, sha256) or abort(404, description=messages.NO_FILE)
        run = None if access.parameters else owned(session, access.owner_id, run_id)
        if run and sha256 in _only_given(run):
            abort(404, description=messages.NO_FILE)
    try:
        return file, backend().files.open(sha256)
    except FileNotFoundError:
        abort(404, description=messages.DELETED)


def _only_given(run: Run) -> set[str]:
    """Return the files in a run's parameters that are not in its result, too."""
    return {file.sha256 for file in files_in(run.parameters)} - {one.sha256 for one in references_in(run.result)}
