"""The runs that others share with somebody, newest first."""

from flask import Blueprint, render_template, request
from flask_login import current_user

from jobs.runs import LARGEST_ID, rights
from webapp.current import backend
from webapp.rendering import fragments
from webapp.rendering.listings import PAGE_SIZE
from webapp.rendering.query import whole_number

bp = Blueprint("shared", __name__)


@bp.get("/runs/shared")
def index() -> str:
    before = min(whole_number(request.args.get("before")) or LARGEST_ID, LARGEST_ID)
    with backend().database.read() as session:
        runs = rights.shared_with(session, current_user.id, before, PAGE_SIZE + 1)
    rows = [fragments.escaped(fragments.row(run)) for run in runs[:PAGE_SIZE]]
    more = runs[PAGE_SIZE - 1].id if len(runs) > PAGE_SIZE else None
    return render_template("sharing/shared.html", rows=rows, next_before=more)
