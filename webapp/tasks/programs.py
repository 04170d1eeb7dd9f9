"""Generate programs that start the run that a form holds, in Python, JavaScript and for curl."""

import json
import shlex
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Flask, request, url_for
from pydantic_core import to_jsonable_python

from jobs.authoring import Task
from webapp.forms import BoundField, Form, Missing

EXACT = 2**53  # JavaScript rounds larger numbers
PLACEHOLDER = "YOUR_SECRET"


class Program(NamedTuple):
    """A program, and the language that it is written in."""

    language: str
    text: str


@dataclass(frozen=True)
class Call:
    """The content of a request: parameters as JSON, and file names by parameter."""

    task: str
    server: str  # with the path below which the application is served
    values: dict[str, Any]
    files: dict[str, list[str]]
    lists: frozenset[str]  # the names of parameters that are lists of files


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(programs=programs)


def programs(task: Task, form: Form) -> list[Program]:
    """Return programs that send what a form holds, except for its secrets."""
    call = _call(task, form)
    return [Program("Python", _python(call)), Program("JavaScript", _javascript(call)), Program("curl", _curl(call))]


def _call(task: Task, form: Form) -> Call:
    values, files = {}, {}
    for bound in form.fields:
        if bound.field.kind in ("file", "files"):
            files[bound.field.name] = [file.name for file in bound.value] or [_some_file(bound)]
        elif bound.raw is not Missing:
            values[bound.field.name] = to_jsonable_python(_without_secrets(bound), fallback=str)
    lists = frozenset(bound.field.name for bound in form.fields if bound.field.kind == "files")
    return Call(task.name, request.root_url.rstrip("/"), values, files, lists)


def _some_file(bound: BoundField) -> str:
    extension = next((one for one in bound.field.accept if one.startswith(".")), "")
    return f"file{extension}"


def _without_secrets(bound: BoundField) -> Any:
    if bound.field.kind == "secret":
        return PLACEHOLDER
    if any(part.field.kind == "secret" for part in bound.all()):
        return _parts_without_secrets(bound)
    return bound.raw


def _parts_without_secrets(bound: BoundField) -> Any:
    if bound.field.item and bound.field.kind != "pairs":
        return [_without_secrets(part) for part in bound.children.values()]
    if bound.field.kind == "pairs":
        rows = [row.children for row in bound.children.values()]
        return {str(row["key"].raw): _without_secrets(row["value"]) for row in rows}
    if bound.field.kind == "tuple":
        return [_without_secrets(part) for part in bound.children.values()]
    filled = {str(name): part for name, part in bound.children.items() if part.raw is not Missing}
    parts = {name: _without_secrets(part) for name, part in filled.items()}
    return {**(bound.raw if isinstance(bound.raw, dict) else {}), **parts}


def _python(call: Call) -> str:
    given = [f"    {name}={value!r}," for name, value in call.values.items()]
    for name, paths in call.files.items():
        listed = ", ".join(f"Path({path!r})" for path in paths)
        given.append(f"    {name}=[{listed}]," if name in call.lists else f"    {name}={listed},")
    lines = [
        *(["from pathlib import Path", ""] if call.files else []),
        f"from dumbwaiter import Dumbwaiter  # {call.server}/api/client.py",
        "",
        f"dw = Dumbwaiter({call.server!r})  # with a token in DUMBWAITER_TOKEN",
        f"run = dw.run(\n    {call.task!r},",
        *given,
        ")",
        "print(run.result())",
    ]
    return "\n".join(lines)


def _javascript(call: Call) -> str:
    headers = "{ Authorization: `Bearer ${process.env.DUMBWAITER_TOKEN}` }"
    parameters = _json_in_javascript(call.values)
    if call.files:
        begin = ['import { openAsBlob } from "node:fs";', ""]
        body = ["const body = new FormData();", f'body.append("_parameters", {parameters});']
        for name, paths in call.files.items():
            body += [f"body.append({_js(name)}, await openAsBlob({_js(path)}), {_js(path)});" for path in paths]
        sent = "headers"
    else:
        begin, body = [], [f"const body = {parameters};"]
        sent = 'headers: { ...headers, "Content-Type": "application/json" }'
    lines = [
        *begin,
        f"const headers = {headers};",
        *body,
        f'const answer = await fetch({_js(_address(call))}, {{ method: "POST", {sent}, body }});',
        "let run = await answer.json();",
        'while (run.state === "queued" || run.state === "running") {',
        "  const changed = new URL(`${run.url}?wait=30&version=${run.version}`, answer.url);",
        "  run = await (await fetch(changed, { headers })).json();",
        "}",
        "console.log(run.result ?? run.error ?? run);",
    ]
    return "\n".join(lines)


def _json_in_javascript(values: dict[str, Any]) -> str:
    if _has_large(values):
        return _js(json.dumps(values, ensure_ascii=False))
    return f"JSON.stringify({json.dumps(values, ensure_ascii=False, indent=2)})"


def _has_large(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) > EXACT


def _js(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _curl(call: Call) -> str:
    lines = [f"curl {shlex.quote(_address(call))}", '-H "Authorization: Bearer $DUMBWAITER_TOKEN"']
    parameters = json.dumps(call.values, ensure_ascii=False)
    if call.files:
        lines.append(f"--form-string {shlex.quote(f'_parameters={parameters}')}")
        for name, paths in call.files.items():
            lines += [f"-F {shlex.quote(f'{name}=@{_js(path)}')}" for path in paths]
    else:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(parameters)}"]
    return " \\\n  ".join(lines)


def _address(call: Call) -> str:
    return url_for("api.submit", name=call.task, _external=True)
