"""The version of the code that a run was executed with."""

from flask import Flask

from jobs.runs import Run
from webapp.current import backend

SHOWN = 7


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(code_version=code_version, has_changed_code=has_changed_code)


def code_version(run: Run) -> str:
    """Return a run's version in a few words, or an empty string if it has not started."""
    version, _, commit = (run.code or "").partition(" ")
    return f"{version[:SHOWN]}, commit {commit[:SHOWN]}" if commit else version[:SHOWN]


def has_changed_code(run: Run) -> bool:
    """Return whether a run would be executed with other code now. A commit that changed other files does not count."""
    task = backend().tasks.get(run.task)
    return bool(run.code and task and task.code and _version(run.code) != _version(task.code))


def _version(code: str) -> str:
    return code.partition(" ")[0]
