"""Template filters that format values, times and runs."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from flask import Flask
from markupsafe import Markup

from jobs import File
from jobs.runs import EARLIER_RUN, Run, State
from jobs.storage import utcnow
from jobs.values import chart_in, frame_in, html_in, kept_file_in, label_of, markdown_in, picture_in
from webapp.current import backend
from webapp.forms import Field, spoken
from webapp.rendering.files import safe_filename
from webapp.rendering.layout import address
from webapp.runs import messages
from webapp.runs.known_tasks import known_task

LONGEST_SUMMARY = 120
LONGEST_CELL = 200
UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        clock=clock,
        time_of_day=time_of_day,
        duration=duration,
        elapsed=elapsed,
        roughly=roughly,
        parameters=parameters,
        summary=summary,
        changed_inputs=changed_inputs,
        subject=subject,
        cell=cell,
        in_one_line=in_one_line,
        plain=plain,
        task_title=task_title,
        attempt=attempt,
        losses=losses,
        cancelled=cancelled,
        size=size,
    )


def task_title(name: str) -> str:
    """Return a task's title, also if the task no longer exists."""
    return known_task(name).title


def attempt(run: Run) -> str:
    """Return the number of the current, next or last attempt, or "" for a run that has started only once.

    For a task with retries, attempts are counted since the owner last requested the run, as retries are.
    """
    task = backend().catalog.get(run.task)
    if task is None or not task.retries:
        return f"Attempt {run.attempt}" if run.attempt > 1 else ""
    number = max(1, run.failures) if run.state is State.FAILED else run.failures + 1
    return f"Attempt {number} of {max(number, task.attempts)}" if run.attempt > 1 else ""


def losses(run: Run) -> str:
    """Describe the worker losses of a run; return "" if its error already mentions them."""
    if not run.losses or run.error_kind == "WorkerLost":
        return ""
    lost = "Worker lost" if run.losses == 1 else f"Worker lost {run.losses} times"
    if run.state is State.QUEUED:
        return f"{lost}; restarts automatically"
    return f"{lost}; restarted" if run.started_at else lost


def cancelled(run: Run) -> str:
    """Describe how far a run got before its owner cancelled it, or the run that it was to follow."""
    if run.error_message and run.error_kind == EARLIER_RUN:
        return run.error_message
    if run.started_at:
        return f"Stopped after {duration(run.seconds)}"
    return "Cancelled before it started again" if run.attempt > 1 else "Cancelled before it started"


def parameters(run: Run) -> dict[str, Any]:
    """Return a run's parameters as readable values by label."""
    fields = known_task(run.task).fields
    labels = _labels(run, fields)
    return {labels[name]: spoken(fields.get(name), value) for name, value in run.parameters.items()}


def summary(run: Run) -> str:
    """Return a run's parameters as one short line."""
    fields, given = known_task(run.task).fields, run.parameters
    return _short(", ".join(f"{name} = {in_one_line(spoken(fields.get(name), given[name]))}" for name in given))


def changed_inputs(run: Run) -> str:
    """Return the parameters that differ from their defaults by label, as one short line."""
    fields, given = known_task(run.task).fields, run.parameters
    labels = _labels(run, fields)
    changed = [name for name, value in given.items() if name not in fields or not _is_default(fields[name], value)]
    text = ", ".join(f"{labels[name]}: {in_one_line(spoken(fields.get(name), given[name]))}" for name in changed)
    return _short(text) or (messages.DEFAULT_INPUTS if given else messages.NO_PARAMETERS)


def _is_default(field: Field, value: Any) -> bool:
    """Return whether a parameter has its default, which is None without one. A factory makes another each time."""
    return field.factory is None and value == field.default


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"


def subject(run: Run) -> str:
    """Return what a run works on: the names of its files, or else its parameters as one short line."""
    if not run.access.parameters:
        return ""
    fields = known_task(run.task).fields
    given = (spoken(fields.get(name), value) for name, value in run.parameters.items())
    files = [one for value in given for one in (value if isinstance(value, list) else [value]) if isinstance(one, File)]
    if not files:
        return summary(run)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{safe_filename(files[0].name)}{more}"


def cell(value: Any, run_id: int, known: Collection[str], brief: bool) -> str:
    """Format a cell of a table: a file that the run has stored as a link, other values as one line, cut if brief."""
    reference = kept_file_in(value) or picture_in(value)
    if reference and reference.sha256 in known:
        url = address("files.show", run_id=run_id, sha256=reference.sha256)
        return Markup('<a href="{}" download>{}</a>').format(url, in_one_line(value))
    text = in_one_line(value)
    return f"{text[:LONGEST_CELL]}…" if brief and len(text) > LONGEST_CELL else text


def in_one_line(value: Any) -> str:
    """Format a value and its parts as one line."""
    if marked := _marked(value):
        return marked
    if isinstance(value, dict):
        return ", ".join(f"{label}: {in_one_line(one)}" for label, one in value.items()) or "empty"
    if isinstance(value, File):
        return safe_filename(value.name)
    if isinstance(value, list):
        parts = (f"({in_one_line(one)})" if isinstance(one, dict | list) else in_one_line(one) for one in value)
        return ", ".join(parts) or "empty"
    return clock(value) if isinstance(value, datetime) else plain(value)


def _marked(value: Any) -> str:
    """Return a few words about an image, file, chart, table or formatted text; "" for any other value."""
    if file := kept_file_in(value):
        return safe_filename(file.name)
    if picture := picture_in(value):
        return f"image of {picture.width:,} × {picture.height:,} pixels"
    if chart := chart_in(value):
        return chart.title or "chart"
    if frame := frame_in(value):
        return f"table of {len(frame.rows):,} rows"
    return markdown_in(value) or html_in(value) or ""


def plain(value: Any) -> str:
    """Format a simple value as one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (" ".join(value.split()) or "empty") if isinstance(value, str) else str(value)


def size(count: int) -> str:
    """Format a number of bytes in its largest unit."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    unit, name = next((unit, name) for unit, name in UNITS if count >= unit)
    number = f"{count / unit:,.1f}" if count < 10 * unit else f"{count / unit:,.0f}"
    return f"{number.removesuffix('.0')} {name}"


def clock(moment: datetime) -> str:
    """Format a moment in UTC, for readers without JavaScript, which converts it to local time."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def time_of_day(moment: datetime) -> str:
    """Format the UTC time of day of a moment within the next hours."""
    return f"{moment:%H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    """Format a duration in its two largest units."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def elapsed(since: datetime) -> str:
    """Format the time since a moment in whole seconds, as the page does while it counts on."""
    seconds = max(0, int((utcnow() - since).total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def roughly(seconds: float) -> str:
    """Format an estimated duration in its largest unit."""
    if round(seconds) < 60:
        return f"{max(1, round(seconds))} s"
    if round(seconds / 60) < 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def _labels(run: Run, fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the label of each parameter: of its field, or made of its name. Labels that are equal become names."""
    labels = {name: fields[name].label if name in fields else label_of(name) for name in run.parameters}
    return {name: label if list(labels.values()).count(label) == 1 else name for name, label in labels.items()}
