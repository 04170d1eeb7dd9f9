"""Tasks and runs as JSON. Values have the form in which they are stored; files in them get an address."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import url_for

from jobs.authoring import Task
from jobs.runs import (
    NEVER,
    PARTS,
    Access,
    Delivery,
    Entry,
    Interval,
    Run,
    Share,
    State,
    StoredBatch,
    WaitEstimate,
    Webhook,
)
from jobs.values import frame_in, kept_file_in, picture_in, types_of
from webapp.api.authentication import caller
from webapp.rendering.failures import may_see_code
from webapp.runs import waits

TIMES = ("created_at", "queued_at", "scheduled_for", "started_at", "stop_requested_at", "ended_at")


def task(task: Task) -> dict[str, Any]:
    """Return a task's description, the JSON schema of its parameters, its limits and its example."""
    return {
        "name": task.name,
        "title": task.title,
        "description": task.description,
        "parameters": task.parameters.model_json_schema(mode="validation"),
        "timeout": task.timeout,
        "retries": task.retries,
        "memory": task.memory,
        "secrets": list(task.secrets),
        "example": task.example,
        "url": url_for("api.task", name=task.name),
        "page": url_for("tasks.show", name=task.name),
    }


def run(run: Run, expected: WaitEstimate | None = None) -> dict[str, Any]:
    """Return a run with its parameters and its result or error. Secrets stand as marks."""
    files = run.access.files
    return {
        "id": run.id,
        "task": run.task,
        "state": run.state.value,
        "version": run.version,
        "attempt": run.attempt,
        "name": run.name,
        "note": run.note,
        "tags": run.tags,
        "starred": run.starred,
        "parameters": with_addresses(run.parameters, run.id, files),
        "result": with_addresses(run.result, run.id, files),
        "notes": run.notes or [],
        "error": _error(run),
        "code": run.code,
        "progress": run.progress,
        "progress_note": run.progress_note,
        "wait": _wait(run, expected) if run.state is State.QUEUED else None,
        "after": run.after_id,
        **{name: time(getattr(run, name)) for name in TIMES},
        "due_at": None if run.due_at == NEVER else time(run.due_at),
        "url": url_for("api.run", run_id=run.id),
        "page": url_for("runs.show", run_id=run.id),
        "shared": None if run.access.owns else _shared(run.access),
    }


def webhook(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook without its secret."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "run": webhook.run_id,
        "created_at": time(webhook.created_at),
        "failing_since": time(webhook.failing_since),
        "disabled_at": time(webhook.disabled_at),
        "disabled_because": webhook.disabled_because,
    }


def delivery(delivery: Delivery) -> dict[str, Any]:
    """Return a message to a webhook and what has become of it."""
    return {
        "id": delivery.id,
        "message_id": delivery.message_id,
        "type": delivery.event,
        "run": delivery.run_id,
        "version": delivery.version,
        "created_at": time(delivery.created_at),
        "tries": delivery.tries,
        "tried_at": time(delivery.tried_at),
        "status": delivery.status,
        "problem": delivery.problem,
        "delivered_at": time(delivery.delivered_at),
        "due_at": time(delivery.due_at),
    }


def _shared(access: Access) -> dict[str, Any]:
    """Return who shares a run, and which parts of it."""
    return {"by": access.by, "parts": [part for part in PARTS if getattr(access, part)]}


def share(share: Share) -> dict[str, Any]:
    """Return a share without a link's address."""
    return {
        "id": share.id,
        "kind": share.kind,
        "email": share.email,
        "group": share.group_name or None,
        "parts": share.parts,
        "signed_in": share.signed_in,
        "created_at": time(share.created_at),
        "expires_at": time(share.expires_at),
        "visits": share.visits,
        "visited_at": time(share.visited_at),
    }


def batch(batch: StoredBatch, run_id: int, files: bool) -> list[dict[str, Any]]:
    """Return the entries of a batch of output with their numbers; without the addresses of files unless `files`."""
    return [_entry(batch, number, entry, run_id, files) for number, entry in enumerate(batch.entries, batch.number)]


def _entry(batch: StoredBatch, number: int, entry: Entry, run_id: int, files: bool) -> dict[str, Any]:
    at, source, content = entry
    return {
        "number": number,
        "attempt": batch.attempt,
        "at": datetime.fromtimestamp(at).astimezone().isoformat(),
        "source": source,
        "content": with_addresses(content, run_id, files),
        "unfinished": batch.unfinished,
    }


def with_addresses(value: Any, run_id: int, files: bool) -> Any:
    """Return a stored value with the types of tables' columns, and with `files` the address of each file in it."""
    if found := picture_in(value) or kept_file_in(value):
        [(mark, kept)] = value.items()
        return {mark: {**kept, "url": url_for("api.file", run_id=run_id, sha256=found.sha256)}} if files else value
    if table := frame_in(value):
        rows = with_addresses(list(table.rows), run_id, files)
        return {"$table": {"columns": table.columns, "types": types_of(table, value), "rows": rows}}
    if isinstance(value, Mapping):
        return {name: with_addresses(part, run_id, files) for name, part in value.items()}
    return [with_addresses(part, run_id, files) for part in value] if isinstance(value, list) else value


def _wait(run: Run, expected: WaitEstimate | None) -> dict[str, Any]:
    said = waits.wait(run, expected)
    values = {name: _plain(value) for name, value in said.values.items()}
    return {"code": said.code.value, **values, "sentence": waits.in_text(run, said)}


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return [round(value.least, 1), round(value.most, 1)]
    return time(value) if isinstance(value, datetime) else value


def _error(run: Run) -> dict[str, Any] | None:
    if run.error_kind is None and run.error_message is None:
        return None
    return {
        "kind": run.error_kind,
        "message": run.error_message,
        "traceback": run.error_traceback if may_see_code(caller().account) else None,
    }


def time(at: datetime | None) -> str | None:
    """Return a moment as ISO 8601."""
    return at.isoformat() if at else None
