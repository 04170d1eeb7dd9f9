"""Uploading a file, to give it to a task as `{"$file": {"sha256": "…"}}`."""

from http import HTTPStatus

from flask import Response, jsonify, request

from jobs.runs import NotAllowed
from webapp import rights
from webapp.accounts.tokens import FILES
from webapp.api import messages
from webapp.api.authentication import needs
from webapp.api.blueprint import bp
from webapp.problems import refuse
from webapp.runs import uploads


@bp.post("/files", endpoint="files")
@needs(FILES)
def upload() -> Response:
    """Store the body as a file. What no run uses is deleted after a day."""
    if not rights.mine().runs_any:
        raise NotAllowed(sees=True)
    name = request.args.get("name", "")
    if not name:
        refuse(400, messages.NO_UPLOAD)
    stored = uploads.receive_one(name)
    if isinstance(stored, str):
        refuse(413, stored)
    response = jsonify({"$file": stored._asdict()})
    response.status_code = HTTPStatus.CREATED
    return response
