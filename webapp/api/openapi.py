"""The OpenAPI 3.1 description of the API, made from the tasks as they are."""

from collections.abc import Iterable
from pathlib import Path

from flask import Blueprint, Response, jsonify, request, send_file
from flask_login import current_user

from jobs.authoring import Task
from webapp import rights
from webapp.accounts import bearer
from webapp.accounts.tokens import Caller
from webapp.api import messages, operations, schemas
from webapp.api.schemas import Schema
from webapp.current import API, backend
from webapp.problems import problem

bp = Blueprint("openapi", __name__)

CLIENT = Path(__file__).with_name("client.py")

DESCRIPTION = (
    "Start and follow the runs of this application's tasks. Send a token in the Authorization header; create one under "
    "Account → API tokens. Errors are application/problem+json; `errors` has a JSON pointer to each wrong parameter."
)


@bp.get("/api/openapi.json")
def description() -> Response:
    """Return the description, for a signed-in person or a valid token."""
    caller = bearer.caller()
    if not (current_user.is_authenticated or caller):
        return problem(401, "Unauthorized", messages.SIGN_IN)
    return jsonify(for_person(caller.account.id if caller else current_user.id, caller))


def for_person(person_id: int, caller: Caller | None = None) -> Schema:
    """Return the description for a person, with the tasks that they may run, or of these those of a caller's token."""
    runnable = rights.runnable(person_id).values()
    tasks = [one for one in runnable if caller is None or caller.is_for(one.name)]
    return described(tasks, backend().settings.app_name, request.root_url.rstrip("/"))


@bp.get("/api/client.py")
def client() -> Response:
    """Return the Python client, which holds nothing secret."""
    return send_file(CLIENT, mimetype="text/x-python", as_attachment=True, download_name="dumbwaiter.py")


def described(tasks: Iterable[Task], name: str, server: str) -> Schema:
    """Return the description of the API for these tasks."""
    components = dict(schemas.COMMON)
    paths = operations.paths()
    for task in tasks:
        parameters, definitions = schemas.parameters_of(task)
        components |= definitions
        paths[f"/tasks/{task.name}/runs"] = {"post": operations.submit(task, parameters)}
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1", "description": DESCRIPTION},
        "servers": [{"url": server + API}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "A token, dw_…"}},
        },
    }
