"""The only renderer of runs, shared by pages, responses and pushes."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import Flask, current_app
from markupsafe import Markup

from jobs.runs import Ending, Run, WaitEstimate
from webapp.rendering import guards
from webapp.rendering.listings import Page, to_query


class Unsaved(NamedTuple):
    """A form about a run that could not be saved: what was entered, and the problems by field."""

    entered: Mapping[str, str]
    problems: Mapping[str, str]


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(listing_query=to_query)
    app.jinja_env.globals.update(full=full, listing=listing)


def row(run: Run, expected: WaitEstimate | None = None, titled: bool = True) -> str:
    """Render a run as a row of a list, with its wait estimate while it is queued, and its task's title if `titled`."""
    return _guarded(run, "runs/_run.html", "runs/_run_plain.html", expected=expected, titled=titled)


def kept(run_id: int, version: int) -> str:
    """Render a placeholder for a row that the page already has at this version and keeps."""
    return render("live/_kept.html", run_id=run_id, version=version)


def full(
    run: Run,
    expected: WaitEstimate | None = None,
    output: str = "",
    code: bool = False,
    unsaved: Unsaved | None = None,
) -> Markup:
    """Render a run for its own page, with its output unless that is pushed separately, and its traceback for `code`."""
    values = {"expected": expected, "output": output, "code": code, "unsaved": unsaved}
    return escaped(_guarded(run, "runs/_full.html", "runs/_full_plain.html", **values))


def about(run: Run, unsaved: Unsaved) -> str:
    """Render the part of a run's page with its name, note and tags, after a form that could not be saved."""
    return render("runs/_about.html", run=run, unsaved=unsaved)


def deleted(run_id: int) -> str:
    """Return the partial that tells a run's own page that the run was deleted elsewhere."""
    return partial(f"#run-{run_id}", "outerHTML", render("runs/_deleted.html", run_id=run_id))


def wait_estimate(run: Run, expected: WaitEstimate | None) -> str:
    """Render a run's wait estimate, the part of its fragment that changes without a new version."""
    return render("runs/_wait_estimate.html", run=run, expected=expected)


def listing(page: Page, rows: Sequence[str] | None = None) -> Markup:
    """Render a whole list of runs, from rendered rows if they are given."""
    rendered = (
        [row(run, page.wait_estimates.get(run.id), page.listing.titled) for run in page.runs] if rows is None else rows
    )
    return escaped(render("runs/_list.html", page=page, rows=[escaped(one) for one in rendered]))


def announcement(run: Run) -> str:
    """Render the screen reader announcement that a run has ended or is being stopped by its owner."""
    return render("live/_announcement.html", run=run)


def live_status(prompt: bool) -> str:
    """Return the partials that show on a page whether it receives changes immediately or with a delay."""
    return partial("#live-status", "outerMorph", render("live/_status.html", prompt=prompt)) + connecting()


def connecting(restarting: bool = False) -> str:
    """Return the partial with the words for the time until the page has connected again."""
    return partial("#live-connecting", "outerMorph", render("live/_connecting.html", restarting=restarting))


def toast(ending: Ending) -> str:
    """Return the partial that shows a toast for an ended run, which the page may not list."""
    return partial("#toasts", "beforeend", render("live/_toast.html", ending=ending))


def escaped(html: str) -> Markup:
    """Mark a template's output as safe to insert into another template."""
    return Markup(html)  # noqa: S704  # what users and tasks wrote was escaped when it was rendered


def partial(target: str, swap: str, html: str) -> str:
    """Wrap a fragment in the element that gives htmx its target and swap."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def _guarded(run: Run, *templates: str, **values: Any) -> str:
    ways = ((template, functools.partial(render, template, run=run, **values)) for template in templates)
    return guards.first_drawn(run.id, ways)


def render(template: str, **values: Any) -> str:
    """Render a fragment without the request context, so that it cannot depend on the viewer."""
    return current_app.jinja_env.get_template(template).render(**values)
