"""Runs as HTML: the only renderer, for pages, responses and pushes alike."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Flask, current_app
from jinja2 import TemplateNotFound, pass_environment
from jinja2.environment import Environment
from markupsafe import Markup

from jobs import Run
from webapp.current import backend
from webapp.listings import Page, to_query

LONGEST_SUMMARY = 120


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        clock=clock,
        duration=duration,
        summary=summary,
        plain=plain,
        task_title=task_title,
        listing_query=to_query,
    )
    app.jinja_env.globals.update(result_template=result_template, listing=listing)


def row(run: Run) -> str:
    """A run as one row of a list."""
    return _render("runs/_run.html", run=run)


def full(run: Run) -> str:
    """A run as its own page shows it."""
    return _render("runs/_full.html", run=run)


def listing(page: Page, rows: Sequence[str] | None = None) -> Markup:
    """A whole list of runs; with its rows where they are rendered already."""
    rendered = [row(run) for run in page.runs] if rows is None else rows
    # Marked as safe because these rows are templates' output already: what users wrote was escaped there.
    return Markup(_render("runs/_list.html", page=page, rows=[Markup(one) for one in rendered]))  # noqa: S704


def announcement(run: Run) -> str:
    """What a screen reader says when a run has ended."""
    return _render("runs/_announcement.html", run=run)


def partial(target: str, swap: str, html: str) -> str:
    """The envelope in which htmx finds where a fragment belongs."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


# A fragment is rendered without a request's context, so that it cannot depend on who happens to look.
def _render(template: str, **values: Any) -> str:
    return current_app.jinja_env.get_template(template).render(**values)


@pass_environment
def result_template(environment: Environment, run: Run) -> str:
    """The template of a run's result: the task's own in results/, otherwise one chosen by the value's type."""
    try:
        return str(environment.get_template(f"results/{run.task}.html").name)
    except TemplateNotFound:
        return f"results/_{_shape(run.result)}.html"


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, list):
        return "sequence"
    return "text" if isinstance(value, str) else "scalar"


def task_title(name: str) -> str:
    """A task's title, or its name where the task is no longer there."""
    task = backend().catalog.get(name)
    return task.title if task else name


def summary(parameters: dict[str, Any]) -> str:
    """Parameters in one short line."""
    text = ", ".join(f"{name} = {plain(value)}" for name, value in parameters.items())
    return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"


def plain(value: Any) -> str:
    """A value in one line, for people."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (" ".join(value.split()) or "empty") if isinstance(value, str) else str(value)


def clock(moment: datetime) -> str:
    """A moment as it reads where no script can turn it into the reader's own time."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
