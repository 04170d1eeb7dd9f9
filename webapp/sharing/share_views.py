"""The shares of a run, for its owner: with whom, what of it, and until when."""

from collections.abc import Mapping

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import PARTS, Parts, Run, Terms, shares
from webapp.current import backend
from webapp.runs.views import mine
from webapp.sharing import messages
from webapp.sharing.making import Asked, Refused, make, own_groups

bp = Blueprint("shares", __name__)

USUAL_PARTS = ("parameters", "files")


@bp.get("/runs/<int:run_id>/shares")
def index(run_id: int) -> str:
    return _page(mine(run_id))


@bp.post("/runs/<int:run_id>/shares")
def create(run_id: int) -> Response:
    """Share a run. A link is in the response to this form and nowhere else."""
    run, form = mine(run_id), request.form
    number = form.get("group", "")
    asked = Asked(
        kind=form.get("kind", ""),
        email=form.get("email", ""),
        group_id=int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None,
        parts=Parts(**{part: part in form.getlist("part") for part in PARTS}),
        terms=Terms(_days(form.get("days", "")), "signed_in" in form),
    )
    try:
        _share, secret = make(current_user.id, run.id, asked)
    except Refused as refused:
        return make_response(_page(run, {refused.name: str(refused)}), 422)
    except shares.NotShared:  # deleted since
        abort(404, description=messages.NO_SHARE)
    if not secret:
        return redirect(url_for("shares.index", run_id=run.id), 303)
    return make_response(_page(run, link=url_for("links.show", secret=secret, _external=True)))


@bp.post("/runs/<int:run_id>/shares/<row:share_id>/revoke")
def revoke(run_id: int, share_id: int) -> Response:
    """End a share. Pages that were opened by it close."""
    shares.revoke(backend(), share_id, current_user.id, mine(run_id).id)
    return redirect(url_for("shares.index", run_id=run_id), 303)


def _days(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0


def _page(run: Run, errors: Mapping[str, str] | None = None, link: str = "") -> str:
    form = request.form
    return render_template(
        "sharing/index.html",
        run=run,
        shares=shares.of_run(backend().database, run.owner_id, run.id),
        groups=own_groups(run.owner_id),
        lifetimes=shares.LIFETIMES,
        links=backend().settings.share_links,
        kind=form.get("kind", "person"),
        email=form.get("email", "") if errors else "",
        parts=form.getlist("part") if errors else USUAL_PARTS,
        days=form.get("days", str(shares.USUAL_LIFETIME)),
        errors=errors or {},
        link=link,
    )
