"""Pin and unpin tasks."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import pin, unpin
from webapp import rights
from webapp.current import backend
from webapp.tasks import messages
from webapp.tasks.start import start_page

bp = Blueprint("pins", __name__)


@bp.post("/pins")
def change() -> str | Response:
    """Pin the task that `pin` names, or unpin the one that `unpin` names."""
    name, query = request.form.get("pin", ""), request.form.get("q", "")
    if name:
        if name not in rights.visible():
            abort(404, description=messages.NO_TASK)
        pin(backend().database, current_user.id, name)
    else:
        unpin(backend().database, current_user.id, request.form.get("unpin", "").replace("\x00", ""))
    if "HX-Request" in request.headers:
        return render_template("tasks/_tasks.html", start=start_page(query))
    return redirect(url_for("tasks.index", q=query or None, _anchor="tasks"), 303)
