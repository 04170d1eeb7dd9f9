"""The failures of the last days, grouped by error."""

from flask import Blueprint, render_template

from jobs.runs import failures
from webapp.accounts import users
from webapp.accounts.auth import require_admin
from webapp.current import backend

bp = Blueprint("failures", __name__, url_prefix="/admin/failures")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    with backend().database.read() as session:
        groups, more = failures.grouped(session)
        shown = {owner_id for group in groups for _run, owner_id, _at in group.latest}
        emails = users.emails_of(session, shown)
    return render_template(
        "admin/failures.html", groups=groups, more=more, emails=emails, days=failures.DAYS, most=failures.MOST
    )
