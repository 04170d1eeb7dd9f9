"""The page of the space that a user's files and runs take, from which they are deleted."""

from flask import Blueprint, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.authoring import MB
from jobs.runs import caps, space
from webapp.current import backend

bp = Blueprint("space", __name__, url_prefix="/account/space")


@bp.get("")
def index() -> str:
    database = backend().database
    with database.read() as session:
        most = caps.caps_of(session, backend().settings, current_user.id)
    return render_template(
        "accounts/space.html",
        space=space.space_of(database, current_user.id),
        most_files=most.quota_mb * MB,
        most_kept=most.kept_mb * MB,
    )


@bp.post("/uploads/<sha256>/delete")
def delete_upload(sha256: str) -> Response:
    space.delete_upload(backend().database, current_user.id, sha256.replace("\x00", ""))
    return redirect(url_for("space.index"), 303)
