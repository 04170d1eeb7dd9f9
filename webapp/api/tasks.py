"""Tasks, and submitting runs of them."""

from http import HTTPStatus
from typing import NoReturn

from flask import Response, request

from jobs.authoring import Task, without
from jobs.runs import (
    LARGEST_ID,
    LONGEST_KEY,
    After,
    Asked,
    NoSuchRun,
    NotKept,
    OtherOption,
    RefusedReceiver,
    Reused,
    Submitted,
    TooFar,
    WebhookAsked,
    is_secret,
    new_secret,
    submit_once,
    webhooks,
)
from webapp import rights
from webapp.accounts.tokens import RUNS_WRITE, TASKS_READ
from webapp.api import messages, parameters, representations
from webapp.api.authentication import caller, needs
from webapp.api.blueprint import bp
from webapp.api.body import choice, json_object, moment, object_in, refuse_query, whole_number
from webapp.api.parameters import Read
from webapp.api.runs import answer, mine
from webapp.current import backend
from webapp.forms.messages import LOST_FILE
from webapp.problems import refuse
from webapp.runs import known_tasks, uploads
from webapp.runs.messages import NO_RUN

# The part of a multipart form that holds the parameters other than files. No parameter's name begins like this.
PARAMETERS = "_parameters"


@bp.get("/tasks", endpoint="tasks")
@needs(TASKS_READ)
def index() -> dict[str, object]:
    """List the tasks that the token may be used for."""
    return {"tasks": [representations.task(task) for task in allowed().values()]}


@bp.get("/tasks/<name>", endpoint="task")
@needs(TASKS_READ)
def show(name: str) -> dict[str, object]:
    """Describe a task with the schema of its parameters."""
    return representations.task(named(name))


@bp.post("/tasks/<name>/runs", endpoint="submit")
@needs(RUNS_WRITE)
def run(name: str) -> Response:
    """Start a run. The body holds the parameters; with an Idempotency-Key, repeating the request has no effect."""
    task = to_run(name)
    key, webhook, due_at, after = _key(), _webhook(), moment("due_at"), _after(task)
    if after and after.into is not None:
        task = without(task, after.into)
    read = _read(task)
    anyway = choice("anyway", ["true", "false"]) == "true"
    new, existing = start(task, read, Asked(key, read.given, webhook, due_at, after, anyway))
    response = answer(new, HTTPStatus.OK if existing else HTTPStatus.CREATED, existing)
    if webhook:
        response.headers["Webhook-Secret"] = webhooks.secret_for_run(backend(), new.id)
    return response


def start(task: Task, read: Read, asked: Asked) -> Submitted:
    """Return the run that the caller starts, and why if it is not new."""
    if read.parameters is None:
        refuse(422, messages.INVALID, read.errors)
    known_tasks.record(backend().catalog[task.name])
    try:
        return submit_once(backend(), task, caller().account.id, read.parameters, asked)
    except NotKept:
        refuse(422, messages.INVALID, {"": LOST_FILE})
    except Reused as reused:
        _refuse_key(reused)
    except OtherOption as other:
        refuse(422, f"{messages.KEY_REUSED} {messages.KEY_OTHER_OPTION.format(name=other.name)}")
    except NoSuchRun:  # it has just been deleted
        refuse(404, NO_RUN)
    except TooFar:
        refuse_query("due_at", messages.TOO_FAR)
    except RefusedReceiver as refused:
        refuse(422, f"Webhook-URL: {refused}")


def _read(task: Task) -> Read:
    """Read the parameters from a JSON object, or from a multipart form that has the object under PARAMETERS."""
    if request.mimetype != "multipart/form-data":
        return parameters.read(task, json_object())
    sent = uploads.receive(task)
    return parameters.read(task, object_in(sent.posted.pop(PARAMETERS, "{}")), sent)


def allowed() -> dict[str, Task]:
    """Return the tasks that the caller sees, by name."""
    return {name: task for name, task in rights.visible().items() if caller().is_for(name)}


def runnable() -> dict[str, Task]:
    """Return the tasks that the caller may run, by name."""
    return {name: task for name, task in allowed().items() if rights.mine().runs(task)}


def named(name: str) -> Task:
    """Return the task; one that the token may not be used for, or that its owner does not see, is the same as none."""
    return allowed().get(name) or refuse(404, messages.NO_TASK)


def to_run(name: str) -> Task:
    """Return the task, which its caller must also be allowed to run."""
    task = named(name)
    rights.require(task)
    return task


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        refuse(400, messages.LONG_KEY.format(longest=LONGEST_KEY))
    return key


def _after(task: Task) -> After | None:
    """Return the run that the query string says is to succeed first, which is the caller's own."""
    if (run_id := whole_number("after", 0, 1, LARGEST_ID)) == 0:
        return refuse_query("into", messages.NO_INTO) if "into" in request.args else None
    into = request.args.get("into")
    if into is not None and into not in task.parameters.model_fields:
        refuse_query("into", messages.NO_INTO)
    return After(mine(run_id).id, into)


def _webhook() -> WebhookAsked | None:
    """Return the webhook that the headers ask for; without a secret of the caller's, it gets a new one."""
    url, secret = request.headers.get("Webhook-URL"), request.headers.get("Webhook-Secret")
    if url is None:
        return None if secret is None else refuse(400, messages.NO_URL)
    if secret is not None and not is_secret(secret):
        refuse(400, messages.NOT_WHSEC)
    return WebhookAsked(url, secret or new_secret())


def _refuse_key(reused: Reused) -> NoReturn:
    if reused.parameter is None:
        refuse(422, f"{messages.KEY_REUSED} {messages.KEY_OTHER_TASK}")
    refuse(422, messages.KEY_REUSED, {f"/{reused.parameter}": messages.KEY_OTHER_VALUE})
