"""The tools of the Model Context Protocol: one for each task, one to go on with a run, and one to cancel a run.

A call starts a run as the API does and follows it for as long as proxies leave a stream open. The answer about a run
that takes longer has its id, with which the second tool waits on.
"""

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import Annotated, Any

from flask import current_app, url_for
from pydantic import Field
from werkzeug.exceptions import HTTPException

from jobs import task
from jobs.authoring import Task
from jobs.runs import LARGEST_ID, Asked, NotAllowed, Run, State, TooManyRuns
from jobs.values import kept_file_in, picture_in
from webapp.accounts.tokens import RUNS_READ, RUNS_WRITE, TASKS_READ
from webapp.api import messages, parameters, representations, runs, schemas, tasks
from webapp.api.authentication import caller, require
from webapp.api.waiting import STREAM_SECONDS, still_allowed, versions
from webapp.live import TooManyPages
from webapp.problems import refuse

Json = dict[str, Any]
Steps = Generator[Json | None]
RunId = Annotated[int, Field(ge=1, le=LARGEST_ID)]

LONGEST_WAIT = int(STREAM_SECONDS)
LARGEST_RESULT = 256 * 1024  # characters of JSON; it is in an answer twice, and clients take a megabyte at once
SHOWN = ("id", "task", "state", "progress", "progress_note", "result", "notes", "error", "page")
OUTPUT: Json = {
    "type": "object",
    "required": list(SHOWN),
    "properties": {name: {} for name in SHOWN}
    | {"state": schemas.COMMON["Run"]["properties"]["state"], "result": schemas.COMMON["Value"]},
}


# They are described, and their parameters read, as a task's. No task has their names: a function's has no hyphens.
@task
def get_run(id: RunId, wait: Annotated[int, Field(ge=0, le=LONGEST_WAIT)] = LONGEST_WAIT) -> None:
    """Wait until a run that was started before has ended, or for so many seconds, and return it."""


@task
def cancel_run(id: RunId) -> None:
    """Cancel a run, or ask it to stop if it is running."""


GET_RUN, CANCEL_RUN = "get-run", "cancel-run"
OWN: dict[str, Task] = {GET_RUN: get_run.__dict__["__task__"], CANCEL_RUN: cancel_run.__dict__["__task__"]}
HINTS = {GET_RUN: {"readOnlyHint": True}, CANCEL_RUN: {"readOnlyHint": False, "idempotentHint": True}}
SCOPES = {GET_RUN: (RUNS_READ,), CANCEL_RUN: (RUNS_WRITE,)}


def listed() -> list[Json]:
    """Return the tools that the token may call, of tasks only if it may see them."""
    may_see = all(map(caller().may, (TASKS_READ, RUNS_READ, RUNS_WRITE)))
    found = tasks.runnable() if may_see else {}
    found |= {name: task for name, task in OWN.items() if all(map(caller().may, SCOPES[name]))}
    return [
        {
            "name": name,
            "title": task.title,
            "description": task.description,
            "inputSchema": schemas.standing_alone(task),
            "outputSchema": OUTPUT,
            "annotations": HINTS.get(name, {"readOnlyHint": False}),
        }
        for name, task in found.items()
    ]


def exists(name: str) -> bool:
    """Return whether there is a tool of this name for the caller's token."""
    return name in OWN or name in tasks.runnable()


def call(name: str, given: Json, cancels: bool) -> Json | Steps:
    """Call a tool. Return its result, or steps: progress, None where there is nothing new, and the result.

    With `cancels`, closing the steps early cancels the run that the call has started. Parameters that are refused are
    an error of the tool, with the problem that the API answers with.
    """
    require(*SCOPES.get(name, (RUNS_READ, RUNS_WRITE)))
    try:
        read = parameters.read(OWN.get(name) or tasks.to_run(name), given)
        if name not in OWN:
            return _followed(tasks.start(tasks.to_run(name), read, Asked())[0], STREAM_SECONDS, cancels)
        if read.parameters is None:
            refuse(422, messages.INVALID, read.errors)
        asked = read.parameters.model_dump()
        if name == GET_RUN:
            return _followed(runs.seen(asked["id"]), asked["wait"], False)
        return _result(runs.cancelled(runs.mine(asked["id"])), False)
    except (HTTPException, NotAllowed, TooManyRuns) as error:
        problem = current_app.make_response(current_app.handle_user_exception(error))
        return _answer(True, problem.get_data(as_text=True))


def _followed(run: Run, seconds: float, cancels: bool) -> Steps:
    """Follow a run. A client that closes the stream cancels its request, and with it the run that the request began.

    When the server stops or the token ends, only the stream ends: the run goes on.
    """
    reached = -1.0
    try:
        for seen in versions(run, caller(), 0, seconds):
            run, done = seen or run, (seen or run).progress or 0.0
            if seen is None:
                yield None
            elif done > reached and not run.state.ended:
                reached = done
                yield {"progress": done, "total": 1, "message": run.progress_note or run.state.value}
    except TooManyPages:
        pass  # the result is how the run stands
    except GeneratorExit:
        with suppress(HTTPException):  # it may have ended by now
            if cancels:
                runs.cancelled(run)
        raise
    yield _result(run) if still_allowed(caller()) else _answer(True, messages.NOT_VALID)


def _result(run: Run, can_fail: bool = True) -> Json:
    shown = {name: value for name, value in representations.run(run).items() if name in SHOWN}
    if len(json.dumps(shown["result"])) > LARGEST_RESULT:
        address = url_for("api.result", run_id=run.id, _external=True)
        shown |= {"result": None, "notes": [*shown["notes"], messages.LARGE_RESULT.format(address=address)]}
    going_on = messages.UNFINISHED.format(id=run.id, state=run.state.value, tool=GET_RUN)
    texts = [*([] if run.state.ended else [going_on]), json.dumps(shown, ensure_ascii=False)]
    failed = can_fail and run.state in (State.FAILED, State.CANCELLED)
    return _answer(failed, *texts, links=_links(run.result, run.id) if run.access.files else ()) | {
        "structuredContent": shown
    }


def _answer(failed: bool, *texts: str, links: Iterable[Json] = ()) -> Json:
    return {"content": [*({"type": "text", "text": text} for text in texts), *links], "isError": failed}


def _links(value: Any, run_id: int) -> Iterator[Json]:
    """Yield a link to each file in a stored value."""
    if found := kept_file_in(value) or picture_in(value):
        address = url_for("api.file", run_id=run_id, sha256=found.sha256, _external=True)
        name, media_type = getattr(found, "name", "picture.png"), getattr(found, "media_type", "image/png")
        yield {"type": "resource_link", "uri": address, "name": name, "mimeType": media_type}
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _links(part, run_id)
