"""A view for downloading everything that a person has here."""

from flask import Blueprint, Response, current_app, make_response
from flask_login import current_user

from jobs.runs import audit
from jobs.storage import utcnow
from webapp.accounts import export, messages
from webapp.accounts.account_views import account_page
from webapp.accounts.users import Account
from webapp.current import backend

bp = Blueprint("export", __name__)


@bp.post("/account/export")
def download() -> Response:
    """Send the user's data as an archive. The log notes it: an account that somebody else uses may be emptied so."""
    account: Account = current_user._get_current_object()
    # Of this process. A second download would only slow down the first one, and everybody else.
    downloading: set[int] = current_app.extensions.setdefault("downloading", set())
    if account.id in downloading:
        return make_response(account_page(errors={"export": messages.DOWNLOADING}), 429)
    with backend().database.write() as session:
        audit.note(session, "data exported", account.email)
    downloading.add(account.id)
    response = Response(export.stream(backend(), account), mimetype="application/zip")
    response.call_on_close(lambda: downloading.discard(account.id))
    response.headers.set("Content-Disposition", "attachment", filename=f"data-{utcnow():%Y-%m-%d}.zip")
    return response
