"""The operations of the API's description: the paths, with their parameters, answers and errors."""

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.authoring import Task
from jobs.runs import LARGEST_ID, LONGEST_KEY, LONGEST_URL, OutputKind, State
from webapp.accounts.tokens import FILES, RUNS_READ, RUNS_WRITE, TASKS_READ, WEBHOOKS
from webapp.api import schemas
from webapp.api.schemas import Schema
from webapp.api.waiting import LONGEST_SECONDS
from webapp.problems import MEDIA_TYPE
from webapp.runs.list_export import TYPES
from webapp.runs.query import LONGEST

RUN_ID = {"name": "run_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Repeating a request with the same key and body returns the same run.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
WEBHOOK_URL = {
    "name": "Webhook-URL",
    "in": "header",
    "description": "An address that is told when this run ends. The answer has its secret in Webhook-Secret.",
    "schema": {"type": "string", "format": "uri", "maxLength": LONGEST_URL},
}
WEBHOOK_SECRET = {
    "name": "Webhook-Secret",
    "in": "header",
    "description": "The secret that signs the message: whsec_ and 24 to 64 bytes in base64. Without it, one is made.",
    "schema": {"type": "string"},
}
WEBHOOK_ID = {"name": "webhook_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
DELIVERY_ID, SHARE_ID = WEBHOOK_ID | {"name": "delivery_id"}, WEBHOOK_ID | {"name": "share_id"}
SEARCH = (
    'Only runs that the history finds for it: words, "in a row", task:, state:, tag:, starred:yes, input.name:value, '
    "since:7d, before:2026-01-31."
)
ERRORS = {
    400: "The request is malformed.",
    401: "The token is missing, unknown, expired or revoked.",
    403: "The token lacks the scope, or belongs to a viewer, who runs nothing.",
    404: "There is no such task, run or file, or it belongs to somebody else.",
    409: "The run's state does not allow this.",
    413: "The body is too large.",
    416: "The file has no such range.",
    415: "The body is not JSON.",
    422: "Parameters are invalid; `errors` names them.",
    429: "Too many attempts, or too many runs waiting or started today; see Retry-After.",
    503: "The service is not available right now; see Retry-After.",
}


def _task() -> Schema:
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    return _operation("Describe a task", TASKS_READ, {200: ("The task.", "Task")}, (404,), [name], "task")


def submit(task: Task, parameters: Schema) -> Schema:
    """Return the operation that submits a run of a task."""
    body: Schema = {"schema": parameters}
    if task.example is not None and not task.example_files:
        body["example"] = task.example
    answers = {201: ("The run has been accepted.", "Run"), 200: ("A run that was there; see existing.", "Run")}
    options, errors = [KEY, WEBHOOK_URL, WEBHOOK_SECRET, *_later()], (400, 404, 413, 415, 422, 429)
    operation = _operation(f"Run {task.title}", RUNS_WRITE, answers, errors, options, f"run_{task.name}")
    operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    return operation | {"description": f"{task.description} {operation['description']}".strip()}


def paths() -> Schema:
    """Return the paths that are there whatever tasks there are."""
    run, runs = {200: ("The run.", "Run")}, {200: ("Runs, newest first.", "Runs")}
    again = {200: ("The run, queued for its next attempt.", "Run"), 201: ("A new run.", "Run")}
    return {
        "/tokens": {"post": _sign_in()},
        "/tasks": {"get": _operation("List the tasks", TASKS_READ, {200: ("The tasks.", "Tasks")}, (), [], "tasks")},
        "/tasks/{name}": {"get": _task()},
        "/runs": {"get": _operation("List runs", RUNS_READ, runs, (400,), _filters(), "runs")},
        **{f"/runs.{form}": {"get": _export(form, media_type)} for form, media_type in TYPES.items()},
        "/runs/{run_id}": {
            "get": _operation("Read a run, or wait for it", RUNS_READ, run, (400, 404, 503), _wait(), "run"),
            "patch": _annotate(),
            "delete": _delete(),
        },
        "/runs/{run_id}/output": {"get": _output()},
        "/runs/{run_id}/result": {
            "get": _operation(
                "Read the result alone", RUNS_READ, {200: ("The result.", "Value")}, (404, 409), [RUN_ID], "result"
            )
        },
        "/runs/{run_id}/cancel": {
            "post": _operation("Cancel or stop a run", RUNS_WRITE, run, (404, 409), [RUN_ID], "cancel")
        },
        "/runs/{run_id}/retry": {
            "post": _operation("Run again", RUNS_WRITE, again, (404, 409, 429), [RUN_ID], "retry")
        },
        "/runs/{run_id}/files/{sha256}": {"get": _download()},
        "/files": {"post": _upload()},
        **_shares(),
        **_webhooks(),
    }


def _shares() -> Schema:
    many, one = {200: ("The shares of a run.", "Shares")}, {201: ("The share, of a link with its address.", "Share")}
    create = _operation("Share a run", RUNS_WRITE, one, (400, 404, 413, 415, 422), [RUN_ID], "share")
    create["requestBody"] = {"required": True, "content": _json("", "NewShare")["content"]}
    delete = _operation("Revoke a share", RUNS_WRITE, {}, (404,), [RUN_ID, SHARE_ID], "delete_share")
    delete["responses"]["204"] = {"description": "It is revoked."}
    index = _operation("List the shares of a run", RUNS_WRITE, many, (404,), [RUN_ID], "shares")
    return {
        "/runs/{run_id}/shares": {"get": index, "post": create},
        "/runs/{run_id}/shares/{share_id}": {"delete": delete},
    }


def _webhooks() -> Schema:
    one, many = {200: ("The webhook.", "Webhook")}, {200: ("The webhooks of all runs.", "Webhooks")}
    made = {201: ("The webhook with its secret.", "Webhook")}
    rotated = {200: ("The webhook with its new secret.", "Webhook")}
    sent = {200: ("Messages, newest first.", "Deliveries")}
    create = _operation("Create a webhook", WEBHOOKS, made, (400, 409, 415, 422), [], "create_webhook")
    create["requestBody"] = {"required": True, "content": _json("", "NewWebhook")["content"]}
    delete = _operation("Delete a webhook", WEBHOOKS, {}, (404,), [WEBHOOK_ID], "delete_webhook")
    delete["responses"]["204"] = {"description": "It is deleted."}
    send = _operation("Send a message again", WEBHOOKS, {}, (404, 409), [WEBHOOK_ID, DELIVERY_ID], "send_delivery")
    send["responses"]["202"] = {"description": "It will be sent."}
    before = _query("before", "Only messages with a smaller id.", type="integer", minimum=1, maximum=LARGEST_ID)
    page = [WEBHOOK_ID, before, _query("limit", "At most so many.", type="integer", minimum=1, maximum=100)]
    return {
        "/webhooks": {"get": _operation("List webhooks", WEBHOOKS, many, (), [], "webhooks"), "post": create},
        "/webhooks/{webhook_id}": {
            "get": _operation("Read a webhook", WEBHOOKS, one, (404,), [WEBHOOK_ID], "webhook"),
            "delete": delete,
        },
        "/webhooks/{webhook_id}/secret": {
            "post": _operation("Create a new secret", WEBHOOKS, rotated, (404,), [WEBHOOK_ID], "rotate_webhook")
        },
        "/webhooks/{webhook_id}/enable": {
            "post": _operation("Enable a webhook", WEBHOOKS, one, (404,), [WEBHOOK_ID], "enable_webhook")
        },
        "/webhooks/{webhook_id}/deliveries": {
            "get": _operation("List a webhook's messages", WEBHOOKS, sent, (400, 404), page, "deliveries")
        },
        "/webhooks/{webhook_id}/deliveries/{delivery_id}/send": {"post": send},
    }


def _operation(  # noqa: PLR0913  # all that OpenAPI asks of one
    summary: str,
    scope: str,
    answers: Mapping[int, tuple[str, str]],
    errors: Iterable[int],
    parameters: list[Schema],
    name: str,
) -> Schema:
    found: Schema = {str(code): _json(text, schema) for code, (text, schema) in answers.items()}
    found |= {str(code): _problem(code) for code in sorted({401, 403, 503, *errors})}
    return {
        "operationId": name,
        "summary": summary,
        "description": f"Needs the scope `{scope}`.",
        "security": [{"token": [scope]}],
        "parameters": parameters,
        "responses": found,
    }


def _json(text: str, schema: str) -> Schema:
    content = {"application/json": {"schema": {"$ref": schemas.reference(schema)}}}
    return {"description": text, "content": content}


def _problem(code: int) -> Schema:
    return {"description": ERRORS[code], "content": {MEDIA_TYPE: {"schema": {"$ref": schemas.reference("Problem")}}}}


def _query(name: str, description: str, **schema: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _filters() -> list[Schema]:
    return [
        _query("q", SEARCH, type="string", maxLength=LONGEST, examples=["task:resize state:failed since:7d"]),
        _query("task", "Only runs of this task.", type="string"),
        _query("state", "Only runs in this state.", enum=[state.value for state in State]),
        _query("tag", "Only runs with this tag.", type="string"),
        _query("starred", "Only starred runs.", enum=["yes"]),
        _query(
            "before", "Only runs with a smaller id; see the Link header.", type="integer", minimum=1, maximum=LARGEST_ID
        ),
        _query(
            "after", "Those next above this id; see the Link header.", type="integer", minimum=1, maximum=LARGEST_ID
        ),
        _query("limit", "At most so many runs.", type="integer", minimum=1, maximum=100),
    ]


def _export(form: str, media_type: str) -> Schema:
    operation = _operation("Download runs", RUNS_READ, {}, (400, 429), _filters()[:3], f"runs_{form}")
    operation["responses"]["200"] = {"description": "All runs, newest first.", "content": {media_type: {}}}
    return operation


def _wait() -> list[Schema]:
    seconds = {"type": "integer", "minimum": 0, "maximum": LONGEST_SECONDS}
    return [
        RUN_ID,
        _query("wait", "Answer once the version differs from `version`, or after so many seconds.", **seconds),
        _query("version", "The version that the client has.", type="integer", minimum=0, maximum=LARGEST_ID),
    ]


def _annotate() -> Schema:
    answers, errors = {200: ("The run.", "Run")}, (400, 404, 413, 415, 422)
    operation = _operation("Name, note, tag or star a run", RUNS_WRITE, answers, errors, [RUN_ID], "annotate")
    operation["requestBody"] = {"required": True, "content": _json("", "Annotations")["content"]}
    return operation


def _later() -> list[Schema]:
    due = "When the run starts, within a year. A time that has passed means now."
    after = "A run of one's own that must succeed first. If it fails or is cancelled, so does this one."
    into = "The parameter that takes the result of `after`, and is left out of the body."
    return [
        _query("due_at", due, type="string", format="date-time"),
        _query("after", after, type="integer", minimum=1, maximum=LARGEST_ID),
        _query("into", into, type="string"),
        _query("anyway", "Start a run even if a result could be used again.", enum=["true", "false"]),
    ]


def _delete() -> Schema:
    operation = _operation("Delete a run that has ended", RUNS_WRITE, {}, (404, 409), [RUN_ID], "delete")
    operation["responses"]["204"] = {"description": "The run is gone, with its output, result and files."}
    return operation


def _output() -> Schema:
    parameters = [
        RUN_ID,
        _query("kind", "Lines of the log, or partial results.", enum=[kind.value for kind in OutputKind]),
        _query("after", "Only entries after this number.", type="integer", minimum=0),
    ]
    answers = {200: ("The entries.", "Output")}
    return _operation("Read the output", RUNS_READ, answers, (400, 404), parameters, "output")


def _download() -> Schema:
    sha256 = {
        "name": "sha256",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    }
    operation = _operation("Download a file", FILES, {}, (404, 416), [RUN_ID, sha256], "file")
    operation["responses"]["200"] = {"description": "The content.", "content": {"*/*": {}}}
    operation["responses"]["206"] = {"description": "The range asked for.", "content": {"*/*": {}}}
    return operation


def _upload() -> Schema:
    name = _query("name", "The file's name.", type="string", minLength=1) | {"required": True}
    operation = _operation("Upload a file", FILES, {201: ("A reference.", "File")}, (400, 413), [name], "upload")
    operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    return operation


def _sign_in() -> Schema:
    operation = _operation(
        "Get a token for an hour", "", {201: ("A token.", "Token")}, (400, 409, 415, 422, 429), [], "sign_in"
    )
    content = {"application/json": {"schema": {"$ref": schemas.reference("Credentials")}}}
    return operation | {
        "description": "Sign in with an e-mail address and a password.",
        "security": [],
        "requestBody": {"required": True, "content": content},
    }
