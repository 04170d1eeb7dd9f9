"""Runs as HTML: the only renderer, for pages, responses and pushes alike."""

from collections.abc import Sequence
from typing import Any

from flask import Flask, current_app
from markupsafe import Markup

from jobs.runs import Ending, Run, WaitEstimate
from webapp.rendering.listings import Page, to_query


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(listing_query=to_query)
    app.jinja_env.globals.update(listing=listing)


def row(run: Run, expected: WaitEstimate | None = None) -> str:
    """A run as one row of a list; with what is expected of it while it waits."""
    return render("runs/_run.html", run=run, expected=expected)


def kept(run_id: int, version: int) -> str:
    """The place of a row that the page has already, at this version: it puts its own there."""
    return render("runs/_kept.html", run_id=run_id, version=version)


def full(run: Run, expected: WaitEstimate | None = None) -> str:
    """A run as its own page shows it."""
    return render("runs/_full.html", run=run, expected=expected)


def wait_estimate(run: Run, expected: WaitEstimate | None) -> str:
    """What a run waits for: the part of its fragment that changes while the run itself does not."""
    return render("runs/_wait_estimate.html", run=run, expected=expected)


def listing(page: Page, rows: Sequence[str] | None = None) -> Markup:
    """A whole list of runs; with its rows where they are rendered already."""
    rendered = [row(run, page.wait_estimates.get(run.id)) for run in page.runs] if rows is None else rows
    return escaped(render("runs/_list.html", page=page, rows=[escaped(one) for one in rendered]))


def announcement(run: Run) -> str:
    """What a screen reader says when a run has ended, or is about to because its owner said so."""
    return render("runs/_announcement.html", run=run)


def liveness(prompt: bool) -> str:
    """The word for a page that is live: whether it is told of changes at once, or finds them a little later."""
    return partial("#liveness", "outerMorph", render("_partials/liveness.html", prompt=prompt))


def toast(ending: Ending) -> str:
    """That a run has ended, for a page that shows it perhaps nowhere else."""
    return partial("#toasts", "beforeend", render("runs/_toast.html", ending=ending))


def escaped(html: str) -> Markup:
    """Templates' output, to be put into another template as it is."""
    return Markup(html)  # noqa: S704  # what users and tasks wrote was escaped when it was rendered


def partial(target: str, swap: str, html: str) -> str:
    """The envelope in which htmx finds where a fragment belongs."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


# A fragment is rendered without a request's context, so that it cannot depend on who happens to look.
def render(template: str, **values: Any) -> str:
    """Render a fragment."""
    return current_app.jinja_env.get_template(template).render(**values)
