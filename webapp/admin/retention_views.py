"""Rules of retention: by which runs are deleted, and what they would delete now."""

from typing import Any, NamedTuple

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import LARGEST, Preview, RetentionRule, State, retention, retention_walk
from webapp.accounts.auth import require_admin
from webapp.admin import messages
from webapp.current import backend
from webapp.rendering.query import whole_number

bp = Blueprint("retention", __name__, url_prefix="/admin/retention")
bp.before_request(require_admin)

LIMITS = ("days", "runs", "megabytes")


class Entered(NamedTuple):
    """A rule as it was entered, with the problems by field."""

    rule: RetentionRule
    problems: dict[str, str]


@bp.get("/")
def index() -> str:
    """Show the rules, and with `preview` what the one that is entered, or all of them, would delete now."""
    if "preview" not in request.args:
        return _page()
    if request.args["preview"] == "all":
        return _page(preview=_preview(retention.rules(backend().database)))
    entered = _entered(request.args)
    return _page(entered.problems, None if entered.problems else _preview([entered.rule]))


@bp.post("/")
def create() -> Response:
    entered = _entered(request.form)
    if entered.problems:
        return make_response(_page(entered.problems), 422)
    if len(retention.rules(backend().database)) >= retention.MOST_RULES:
        return make_response(_page({"days": messages.TOO_MANY_RULES.format(most=retention.MOST_RULES)}), 422)
    retention.add_rule(backend().database, entered.rule)
    return redirect(url_for("retention.index"), 303)


@bp.post("/<row:rule_id>/delete")
def delete(rule_id: int) -> Response:
    retention.delete_rule(backend().database, rule_id)
    return redirect(url_for("retention.index"), 303)


def _entered(form: Any) -> Entered:
    problems, limits = dict[str, str](), dict[str, int | None]()
    for name in LIMITS:
        text = form.get(name, "").strip()
        limits[name] = whole_number(text)
        if text and not (limits[name] and 0 < (limits[name] or 0) <= LARGEST):
            problems[name] = messages.NO_LIMIT.format(most=LARGEST)
    if not problems and not any(limits.values()):
        problems["days"] = messages.NOTHING_LIMITED
    task, state = form.get("task") or None, form.get("state") or None
    if task is not None and task not in backend().catalog:
        problems["task"] = messages.NO_TASK
    if state is not None and not (state in set(State) and State(state).ended):
        problems["state"] = messages.NO_ENDED_STATE
    return Entered(RetentionRule(task=task, state=state, made_by=current_user.email, **limits), problems)


def _preview(rules: Any) -> Preview:
    return retention_walk.preview(backend().database, rules)


def _page(problems: dict[str, str] | None = None, preview: Preview | None = None) -> str:
    return render_template(
        "admin/retention.html",
        rules=retention.rules(backend().database),
        tasks=backend().catalog.values(),
        states=[state for state in State if state.ended],
        errors=problems or {},
        form=request.form or request.args,
        preview=preview,
    )
