"""Shares of a run: list and make them, and end one."""

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, url_for

from jobs.runs import PARTS, Parts, Terms, shares
from webapp.accounts.tokens import RUNS_WRITE
from webapp.api import messages, representations
from webapp.api.authentication import caller, needs
from webapp.api.blueprint import bp
from webapp.api.body import json_object
from webapp.api.runs import mine
from webapp.current import backend
from webapp.problems import refuse
from webapp.runs.messages import NO_RUN
from webapp.sharing.making import Asked, Refused, make, own_groups

POINTERS = {"days": "/link/days", "kind": ""}
KINDS = {"email": "person", "group": "group", "link": "link"}


@bp.get("/runs/<int:run_id>/shares", endpoint="shares")
@needs(RUNS_WRITE)
def index(run_id: int) -> dict[str, object]:
    """List the shares of a run, oldest first."""
    found = shares.of_run(backend().database, caller().account.id, mine(run_id).id)
    return {"shares": [representations.share(one) for one in found]}


@bp.post("/runs/<int:run_id>/shares", endpoint="share")
@needs(RUNS_WRITE)
def create(run_id: int) -> Response:
    """Share a run. The address of a link is in this answer and in no other."""
    run, asked = mine(run_id), _asked(json_object())
    try:
        share, secret = make(caller().account.id, run.id, asked)
    except Refused as refused:
        refuse(422, messages.INVALID, {POINTERS.get(refused.name, f"/{refused.name}"): str(refused)})
    except shares.NotShared:  # deleted since
        refuse(404, NO_RUN)
    address = {"url": url_for("links.show", secret=secret, _external=True)} if secret else {}
    response = jsonify(representations.share(share) | address)
    response.status_code = HTTPStatus.CREATED
    return response


@bp.delete("/runs/<int:run_id>/shares/<row:share_id>", endpoint="delete_share")
@needs(RUNS_WRITE)
def delete(run_id: int, share_id: int) -> Response:
    """End a share."""
    if not shares.revoke(backend(), share_id, caller().account.id, mine(run_id).id):
        refuse(404, messages.NO_SHARE)
    return Response(status=HTTPStatus.NO_CONTENT)


def _asked(body: dict[str, Any]) -> Asked:
    """Return the share that a body asks for, or end the request with 422."""
    errors = {f"/{name}": messages.UNKNOWN for name in body.keys() - KINDS.keys() - {"parts"}}
    given = [name for name in KINDS if name in body]
    if len(given) != 1:
        errors[""] = messages.ONE_OF.format(names=", ".join(KINDS))
    link, parts, group = body.get("link", {}), body.get("parts", []), body.get("group", "")
    if not isinstance(parts, list) or not all(part in PARTS for part in parts):
        errors["/parts"] = messages.NO_STATE.format(states=", ".join(PARTS))
    errors |= {f"/{name}": messages.FILL_IN for name in ("email", "group") if not isinstance(body.get(name, ""), str)}
    if not (isinstance(link, dict) and _is_link(link)):
        errors["/link"] = messages.NO_LINK
    if errors:
        refuse(422, messages.INVALID, errors)
    groups = {name: group_id for group_id, name in own_groups(caller().account.id).items()}
    terms, included = Terms(**link), Parts(**{part: part in parts for part in PARTS})
    return Asked(KINDS[given[0]], body.get("email", ""), groups.get(group), included, terms)


def _is_link(link: dict[str, Any]) -> bool:
    kinds = {"days": int, "signed_in": bool}
    return all(type(value) is kinds.get(name) for name, value in link.items())
