"""Everybody's shares, which administrators see and revoke."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from jobs.runs import shares
from webapp.accounts import users
from webapp.accounts.auth import require_admin
from webapp.converters import LARGEST_ROW
from webapp.current import backend
from webapp.rendering.query import whole_number
from webapp.sharing import messages

PAGE_SIZE = 50

bp = Blueprint("admin_shares", __name__, url_prefix="/admin/shares")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    before = min(whole_number(request.args.get("before")) or LARGEST_ROW, LARGEST_ROW)
    found = shares.newest(backend().database, before, PAGE_SIZE + 1)
    with backend().database.read() as session:
        emails = users.emails_of(session, {share.owner_id for share in found})
    return render_template(
        "sharing/admin.html",
        shares=found[:PAGE_SIZE],
        emails=emails,
        next_before=found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None,
    )


@bp.post("/<row:share_id>/revoke")
def revoke(share_id: int) -> Response:
    if not shares.revoke(backend(), share_id):
        abort(404, description=messages.NO_SHARE)
    return redirect(url_for("admin_shares.index"), 303)
