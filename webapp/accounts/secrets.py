"""Users' secrets: entered once, replaced or deleted, and never shown again."""

from flask import Blueprint, make_response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import RefusedSecret
from webapp.accounts.auth import account_page
from webapp.current import backend

bp = Blueprint("secrets", __name__)


@bp.post("/account/secrets")
def put() -> Response:
    """Keep a secret; a file that was pasted keeps its lines, without the ends that a form gives them."""
    name = request.form.get("name", "").strip()
    value = request.form.get("value", "").replace("\r\n", "\n").strip()
    try:
        backend().vault.put(current_user.id, name, value)
    except RefusedSecret as refused:
        return make_response(account_page({refused.field: str(refused)}, name), 422)
    return redirect(url_for("auth.account", kept=name, _anchor="secrets"), 303)


@bp.post("/account/secrets/<name>/delete")
def delete(name: str) -> Response:
    backend().vault.delete(current_user.id, name)
    return redirect(url_for("auth.account", _anchor="secrets"), 303)
