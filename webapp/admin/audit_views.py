"""The audit log: read, filter and export it."""

import json
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from jobs.runs import LARGEST_ID, audit
from webapp.accounts.auth import require_admin
from webapp.current import backend
from webapp.rendering.tables import Table

PAGE_SIZE = 50
MOST_EXPORTED = 10_000

bp = Blueprint("audit", __name__, url_prefix="/admin/audit")
bp.before_request(require_admin)


@bp.get("/")
def index() -> str:
    entries = audit.listed(backend().database, *_filters(), before=_before(), limit=PAGE_SIZE + 1)
    actor, verb = _filters()
    return render_template(
        "admin/audit.html",
        entries=entries[:PAGE_SIZE],
        next_before=entries[PAGE_SIZE - 1].id if len(entries) > PAGE_SIZE else None,
        actor=actor,
        verb=verb,
        verbs=audit.VERBS,
    )


@bp.get("/audit.csv")
def export() -> Response:
    """Download the newest entries that fit the filters as CSV."""
    rows = [_row(entry) for entry in audit.listed(backend().database, *_filters(), limit=MOST_EXPORTED)]
    response = make_response(Table(rows).csv().encode("utf-8-sig"), {"Content-Type": "text/csv; charset=utf-8"})
    response.headers.set("Content-Disposition", "attachment", filename="audit.csv")
    return response


def _filters() -> tuple[str, str]:
    actor, verb = (request.args.get(name, "").replace("\x00", "").strip() for name in ("actor", "verb"))
    return actor, verb


def _before() -> int | None:
    text = request.args.get("before", "")
    return min(int(text[:20]), LARGEST_ID) if text.isascii() and text.isdecimal() else None


def _row(entry: audit.AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "verb": entry.verb,
        "object": entry.object,
        "before": json.dumps(entry.before) if entry.before else "",
        "after": json.dumps(entry.after) if entry.after else "",
        "ip_address": entry.ip_address,
        "request_id": entry.request_id,
        "digest": entry.digest,
    }
