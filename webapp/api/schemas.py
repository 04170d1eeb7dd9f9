"""JSON schemas of what the API takes and returns."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from jobs.authoring import Task
from jobs.runs import LONGEST_NAME, LONGEST_NOTE, Code, Existing, Kind, State
from webapp.current import API

Schema = dict[str, Any]

NULLABLE_TIME = {"type": ["string", "null"], "format": "date-time"}


def reference(name: str) -> str:
    return f"#/components/schemas/{name}"


def parameters_of(task: Task) -> tuple[Schema, Schema]:
    """Return the schema of a task's parameters and the definitions that it refers to, under names of their own."""
    schema = task.parameters.model_json_schema(
        schema_generator=GenerateJsonSchema, ref_template=f"#/components/schemas/{task.name}.{{model}}"
    )
    definitions = {f"{task.name}.{name}": _files(one) for name, one in schema.pop("$defs", {}).items()}
    return {**_files(schema), "additionalProperties": False}, definitions


def standing_alone(task: Task) -> Schema:
    """Return the schema of a task's parameters with all that it refers to within it."""
    schema = _files(task.parameters.model_json_schema(), COMMON["FileReference"])
    return {**schema, "additionalProperties": False}


def _files(schema: Any, file: Schema | None = None) -> Any:
    """Return a schema with the form of a file reference in the place of each file."""
    if isinstance(schema, list):
        return [_files(one, file) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and schema.get("format") == "file":
        beside = {name: value for name, value in schema.items() if name in ("title", "description")}
        return {**(file or {"$ref": reference("FileReference")}), **beside}
    return {name: _files(value, file) for name, value in schema.items()}


def _object(required: dict[str, Any], **optional: Any) -> Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


TEXT, NUMBER, WHOLE, FLAG = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
TIMES = ("created_at", "queued_at", "scheduled_for", "due_at", "started_at", "stop_requested_at", "ended_at")
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ANNOTATIONS = {
    "name": {**TEXT, "maxLength": LONGEST_NAME, "description": "What its owner calls it."},
    "note": {**TEXT, "maxLength": LONGEST_NOTE, "description": "What its owner has written about it."},
    "tags": {"type": "array", "items": TEXT, "description": "Words by which its owner finds it."},
    "starred": {**FLAG, "description": "Whether its owner has starred it."},
}

COMMON: Schema = {
    "Run": _object(
        {
            "id": WHOLE,
            "task": TEXT,
            "state": {"enum": [state.value for state in State]},
            "version": {**WHOLE, "description": "Grows with every change of the run."},
            "attempt": WHOLE,
            **ANNOTATIONS,
            "parameters": {"type": "object", "description": "Secrets stand as marks."},
            "result": {"$ref": reference("Value")},
            "notes": {"type": "array", "description": "What was changed in the result to store it, or left out."},
            "error": {"oneOf": [{"type": "null"}, {"$ref": reference("Error")}]},
            "code": {
                "type": ["string", "null"],
                "description": "The version of the last attempt's code, and after a space its commit if that is known.",
            },
            "progress": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "progress_note": TEXT,
            "wait": {"oneOf": [{"type": "null"}, {"$ref": reference("Wait")}]},
            "after": {"type": ["integer", "null"], "description": "The run that it follows."},
            **dict.fromkeys(TIMES, NULLABLE_TIME),
            "url": TEXT,
            "page": TEXT,
            "shared": {"oneOf": [{"type": "null"}, {"$ref": reference("Shared")}]},
        },
        existing={
            "enum": [one.value for one in Existing],
            "description": "Only in a submission's answer, if no run was started: the reason why this one does for it.",
        },
    ),
    "Annotations": _object({}, **ANNOTATIONS),
    "Shared": {
        **_object({"by": TEXT, "parts": {"type": "array", "items": {"enum": ["parameters", "log", "files"]}}}),
        "description": "Who shares a run that is not your own, and what of it; null for your own.",
    },
    "NewShare": {
        **_object(
            {},
            email={**TEXT, "description": "Whoever has this address."},
            group={**TEXT, "description": "The name of a group of yours."},
            link=_object({}, days={"enum": [1, 7, 30, 90, 365]}, signed_in=FLAG),
            parts={"type": "array", "items": {"enum": ["parameters", "log", "files"]}},
        ),
        "description": "Exactly one of email, group and link, and the parts that are seen beside the result.",
    },
    "Share": _object(
        {
            "id": WHOLE,
            "kind": {"enum": ["person", "group", "link"]},
            "email": {"type": ["string", "null"]},
            "group": {"type": ["string", "null"]},
            "parts": {"type": "array", "items": {"enum": ["parameters", "log", "files"]}},
            "signed_in": {**FLAG, "description": "Whether a link is only for people who are signed in."},
            "created_at": {**TEXT, "format": "date-time"},
            "expires_at": NULLABLE_TIME,
            "visits": {**WHOLE, "description": "How often a link's page was opened."},
            "visited_at": NULLABLE_TIME,
        },
        url={**TEXT, "description": "Of a link, only where it has just been made."},
    ),
    "Shares": _object({"shares": {"type": "array", "items": {"$ref": reference("Share")}}}),
    "Runs": _object(
        {"runs": {"type": "array", "items": {"$ref": reference("Run")}}},
        searched_back_to={
            "type": ["string", "null"],
            "format": "date-time",
            "description": "If the search stopped because it took long: how far it looked. Link leads on.",
        },
        unindexed={"type": "boolean", "description": "True if older runs cannot be searched yet."},
    ),
    "Error": _object({"kind": {"type": ["string", "null"]}, "message": {"type": ["string", "null"]}}, traceback={}),
    "Wait": {
        **_object(
            {"code": {"enum": [code.value for code in Code]}, "sentence": TEXT},
            position={**WHOLE, "description": "The place among the caller's own runs."},
            people={**WHOLE, "description": "How many others have a run that starts before."},
            came_later={**WHOLE, "description": "How many of these came later."},
            overtaken_by={"type": "array", "items": WHOLE, "description": "Own runs that are tried again first."},
            ahead={**WHOLE, "description": "All runs that start before, up to 1,000."},
            more={**FLAG, "description": "Whether there are more than `ahead`."},
            seconds={"type": ["array", "null"], "items": NUMBER, "description": "The least and the most, if known."},
            kind={"enum": [kind.value for kind in Kind], "description": "What is paused."},
            by={**TEXT, "description": "Who has paused it, or drained the last worker."},
            because=TEXT,
            since={**TEXT, "format": "date-time"},
            at={**TEXT, "format": "date-time", "description": "When it starts or is tried again."},
            attempt={**WHOLE, "description": "The attempt that is made then."},
            run={
                "type": ["integer", "null"],
                "description": "The run that must succeed first, or has the place.",
            },
            most={**WHOLE, "description": "How many runs the limit lets run at once."},
            of={**TEXT, "description": "The parameter that the limit is for, with its value."},
        ),
        "description": "What a queued run waits for, as a code and as the sentence that pages show.",
    },
    "Task": _object({"name": TEXT, "title": TEXT, "description": TEXT, "parameters": {"type": "object"}, "url": TEXT}),
    "Tasks": _object({"tasks": {"type": "array", "items": {"$ref": reference("Task")}}}),
    "Output": _object(
        {"entries": {"type": "array", "items": {"$ref": reference("Entry")}}, "dropped": WHOLE, "version": WHOLE}
    ),
    "Entry": _object(
        {
            "number": WHOLE,
            "attempt": WHOLE,
            "at": {**TEXT, "format": "date-time"},
            "source": {**TEXT, "description": "out, err or a log level"},
            "content": {"$ref": reference("Value")},
            "unfinished": {**FLAG, "description": "Whether it may still change, and its number be used again."},
        }
    ),
    "Value": {
        "description": (
            "Any JSON value. An object whose only key begins with $ is a value of a type: $file and $picture (a file, "
            "with its url), $table (columns and rows), $chart, $markdown, $html."
        )
    },
    "FileReference": {
        **_object({"$file": _object({"sha256": SHA256}, name=TEXT)}),
        "description": f"A file that was uploaded before, with POST {API}/files.",
    },
    "File": _object({"$file": _object({"sha256": SHA256, "size": WHOLE, "name": TEXT, "media_type": TEXT})}),
    "Token": _object({"token": {**TEXT, "pattern": "^dw_"}, "expires_at": {**TEXT, "format": "date-time"}}),
    "Credentials": _object({"email": TEXT, "password": {**TEXT, "format": "password"}}, code=TEXT),
    "NewWebhook": _object({"url": {**TEXT, "format": "uri", "description": "A public address."}}),
    "Webhook": _object(
        {
            "id": WHOLE,
            "url": TEXT,
            "run": {"type": ["integer", "null"], "description": "The only run that it is told of, if any."},
            "created_at": {**TEXT, "format": "date-time"},
            "failing_since": NULLABLE_TIME,
            "disabled_at": NULLABLE_TIME,
            "disabled_because": {"type": ["string", "null"]},
        },
        secret={**TEXT, "description": "Only where it has just been made."},
    ),
    "Webhooks": _object({"webhooks": {"type": "array", "items": {"$ref": reference("Webhook")}}}),
    "Delivery": _object(
        {
            "id": WHOLE,
            "message_id": {**TEXT, "description": "The same at every try, and when it is sent again."},
            "type": TEXT,
            "run": WHOLE,
            "version": WHOLE,
            "created_at": {**TEXT, "format": "date-time"},
            "tries": WHOLE,
            "tried_at": NULLABLE_TIME,
            "status": {"type": ["integer", "null"], "description": "The last answer's."},
            "problem": {"type": ["string", "null"]},
            "delivered_at": NULLABLE_TIME,
            "due_at": {**NULLABLE_TIME, "description": "The next try; null once it is delivered or given up."},
        }
    ),
    "Deliveries": _object({"deliveries": {"type": "array", "items": {"$ref": reference("Delivery")}}}),
    "Problem": _object(
        {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT},
        errors={"type": "array", "items": _object({"pointer": TEXT, "detail": TEXT})},
    ),
}
