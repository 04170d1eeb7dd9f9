"""The name, note, tags and star of a run."""

from typing import Any

from flask import Response

from jobs.runs import Annotations, Refused, annotate
from webapp.accounts.tokens import RUNS_WRITE
from webapp.api import messages
from webapp.api.authentication import caller, needs
from webapp.api.blueprint import bp
from webapp.api.body import json_object, pointer
from webapp.api.runs import answer, mine
from webapp.current import backend
from webapp.problems import refuse

KINDS: dict[str, type[Any]] = {"name": str, "note": str, "tags": list, "starred": bool}
EXPECTED = {str: messages.FILL_IN, list: messages.NO_STRINGS, bool: messages.NO_BOOL}


@bp.patch("/runs/<int:run_id>", endpoint="annotate")
@needs(RUNS_WRITE)
def change(run_id: int) -> Response:
    """Change those of a run's name, note, tags and star that are given."""
    run = mine(run_id)
    given = json_object()
    if problems := {pointer(name): problem for name, value in given.items() if (problem := _problem(name, value))}:
        refuse(422, messages.INVALID, problems)
    try:
        annotate(backend(), caller().account.id, run.id, Annotations(**given))
    except Refused as refused:
        refuse(422, messages.INVALID, {pointer(name): problem for name, problem in refused.problems.items()})
    return answer(mine(run_id))


def _problem(name: str, value: Any) -> str:
    if name not in KINDS:
        return messages.UNKNOWN
    fits = isinstance(value, KINDS[name]) and (name != "tags" or all(isinstance(one, str) for one in value))
    return "" if fits else EXPECTED[KINDS[name]]
