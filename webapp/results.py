"""Results: which template shows one, and what of it a row shows."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from jinja2 import TemplateNotFound, pass_environment
from jinja2.environment import Environment

from jobs import Run, chart_in, markdown_in, pictures_in
from webapp.current import backend
from webapp.tables import table_in

# A row shows three lines of a result; more of it would only be sent, and kept for every page.
LONGEST_TEXT = 1000
MOST_ITEMS = 50


@dataclass(frozen=True)
class Glimpse:
    """What a row shows of a run's result."""

    id: int
    task: str
    result: Any


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(glimpse=glimpse, shape=shape, table=table_in)
    app.jinja_env.globals.update(result_template=result_template)


@pass_environment
def result_template(environment: Environment, run: Run | Glimpse) -> str:
    """The template of a run's result: the task's own in results/, otherwise one chosen by the value's type."""
    if own := _own_template(environment, run.task):
        return own
    (picture,) = pictures_in(backend().database, run.id, [run.result])
    if picture:
        return "results/_picture.html"
    return f"results/_{'table' if table_in(run.result) else shape(run.result)}.html"


def shape(value: Any) -> str:
    """Which template in results/ shows a value."""
    if markdown_in(value) is not None:
        return "markdown"
    if chart_in(value):
        return "chart"
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, list):
        return "sequence"
    return "text" if isinstance(value, str) else "scalar"


@pass_environment
def glimpse(environment: Environment, run: Run) -> Glimpse:
    """What a row needs of a run's result: the beginning, or all of it where a template has to see all."""
    whole = _own_template(environment, run.task) or table_in(run.result)
    return Glimpse(run.id, run.task, run.result if whole else _beginning(run.result))


def _own_template(environment: Environment, task: str) -> str:
    try:
        return str(environment.get_template(f"results/{task}.html").name)
    except TemplateNotFound:
        return ""


def _beginning(value: Any) -> Any:
    if chart := chart_in(value):
        return chart.title or "A chart"
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}…"
    if isinstance(value, list):
        return [_beginning(item) for item in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {name: _beginning(item) for name, item in list(value.items())[:MOST_ITEMS]}
    return value
