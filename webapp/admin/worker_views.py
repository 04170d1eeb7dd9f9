"""The workers that are alive, what each of them does, and draining them."""

from flask import Blueprint, abort, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import SEEN_WITHIN_SECONDS, Kind, heartbeats, pauses, predictions
from webapp.accounts.auth import require_admin
from webapp.admin import at_work, messages
from webapp.current import backend

MOST_WORKERS = 500

bp = Blueprint("workers", __name__, url_prefix="/admin/workers")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    with backend().database.read() as session:
        workers = heartbeats.listed(session, MOST_WORKERS)
        drained = {pause.name: pause for pause in pauses.listed(session) if pause.kind == Kind.WORKER}
        rate = predictions.hit_rate(session)
        running = at_work.by_worker(session, MOST_WORKERS)
    shown = {"workers": workers, "drained": drained, "running": running, "rate": rate}
    return render_template("admin/workers.html", seen_within=SEEN_WITHIN_SECONDS, **shown)


@bp.post("/<text:worker>/drain")
def drain(worker: str) -> Response:
    """Drain a worker: it finishes its run and takes no other until it is resumed."""
    _check(worker)
    pauses.pause(backend().database, Kind.WORKER, worker, "", current_user.email)
    return redirect(url_for("workers.index"), 303)


@bp.post("/<text:worker>/resume")
def resume(worker: str) -> Response:
    _check(worker)
    pauses.resume(backend().database, Kind.WORKER, worker)
    return redirect(url_for("workers.index"), 303)


def _check(worker: str) -> None:
    with backend().database.read() as session:
        if not heartbeats.is_known(session, worker):
            abort(404, description=messages.NO_WORKER)
