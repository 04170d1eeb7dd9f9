"""Views for storing and deleting users' secrets, which are never shown again."""

from flask import Blueprint, make_response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import RefusedSecret
from webapp.accounts.account_views import account_page
from webapp.current import backend

bp = Blueprint("secrets", __name__)


@bp.post("/account/secrets")
def put() -> Response:
    """Store a secret. Pasted files keep their lines, with the form's CRLF line ends turned into LF."""
    name = request.form.get("name", "").strip()
    value = request.form.get("value", "").replace("\r\n", "\n").strip()
    try:
        backend().vault.put(current_user.id, name, value)
    except RefusedSecret as refused:
        return make_response(account_page({f"secret_{refused.field}": str(refused)}, name), 422)
    return redirect(url_for("auth.account", kept=name, _anchor="secrets"), 303)


@bp.post("/account/secrets/<text:name>/delete")
def delete(name: str) -> Response:
    backend().vault.delete(current_user.id, name)
    return redirect(url_for("auth.account", _anchor="secrets"), 303)
