"""The command palette: the tasks, runs and pages that a person may open, by the words that they type."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for
from flask_login import current_user

from jobs.runs import LARGEST_ID, Role, Run
from webapp import messages, rights
from webapp.current import backend
from webapp.rendering.listings import Listing, look_up
from webapp.rendering.query import whole_number
from webapp.runs.filters import summary, task_title

bp = Blueprint("palette", __name__)

MOST = 6  # of each kind
RECENT = 25
LONGEST = 100


@dataclass(frozen=True)
class Entry:
    """Something to open, with the words that it is found by."""

    title: str
    address: str
    about: str = ""

    def fits(self, words: Sequence[str]) -> bool:
        text = f"{self.title} {self.about}".lower()
        return all(word in text for word in words)


@bp.get("/palette")
def results() -> str:
    """Return what fits the words, by kind; without words, the newest runs, the tasks and the pages."""
    typed = request.args.get("q", "").replace("\x00", "")[:LONGEST]
    words = typed.lower().split()
    kinds = dict(zip(messages.PALETTE_KINDS, (_tasks(), _runs(words), _pages()), strict=True))
    found = {kind: [entry for entry in entries if entry.fits(words)] for kind, entries in kinds.items()}
    ranked = {kind: sorted(entries, key=lambda one: _rank(one, words))[:MOST] for kind, entries in found.items()}
    shown = {kind: entries for kind, entries in ranked.items() if entries}
    return render_template("_partials/palette_results.html", words=typed, found=shown)


@bp.get("/shortcuts")
def shortcuts() -> str:
    """Show the keyboard shortcuts: a page, or the part of it that the dialog shows."""
    is_dialog = bool(request.headers.get("HX-Request"))
    template = "_partials/shortcuts.html" if is_dialog else "shortcuts.html"
    return render_template(template, shortcuts=messages.SHORTCUTS)


def _rank(entry: Entry, words: Sequence[str]) -> int:
    """Return 0 if the title begins with the first word, 1 if it has it, and 2 otherwise; equals keep their order."""
    place = entry.title.lower().find(words[0]) if words else 0
    return 2 if place < 0 else min(place, 1)


def _tasks() -> Iterator[Entry]:
    for task in rights.visible().values():
        yield Entry(task.title, url_for("tasks.show", name=task.name), task.description)


def _runs(words: Sequence[str]) -> Iterator[Entry]:
    """Yield the newest runs, and first the one whose number was typed."""
    number = whole_number(words[0].removeprefix("#")) if len(words) == 1 else None
    listings = [Listing(current_user.id, limit=RECENT)]
    if number and number <= LARGEST_ID:
        listings.insert(0, Listing(current_user.id, run_id=number, limit=1))
    runs = {run.id: run for listing in listings for run in look_up(backend().database, listing).runs}
    for run in runs.values():
        yield _run(run)


def _run(run: Run) -> Entry:
    title = f"{task_title(run.task)} #{run.id}"
    return Entry(title, url_for("runs.show", run_id=run.id), f"{run.state.value} {summary(run)}")


def _pages() -> Iterator[Entry]:
    more = {Role.ADMINISTRATOR: messages.ADMINISTRATORS_PAGES, Role.MANAGER: messages.MANAGERS_PAGES}
    for endpoint, title in {**messages.PAGES, **more.get(current_user.role, {})}.items():
        yield Entry(title, url_for(endpoint))
