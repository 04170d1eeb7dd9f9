"""What has to be sent so that a page shows what its run has put out: all of it at first, then what is new."""

from collections.abc import Mapping

from jobs.batch import Kind
from jobs.db import Database
from webapp import fragments, output
from webapp.listings import Page
from webapp.output import Drawn


def draw(database: Database, page: Page, earlier: Mapping[Kind, Drawn]) -> dict[Kind, Drawn]:
    """What the run of a page of its own has put out by now; other pages do not show it."""
    shown = page.runs if page.single and page.listing.output else ()
    return {kind: output.draw(database, run, kind, earlier.get(kind)) for run in shown for kind in Kind}


def claimed(query: Mapping[str, str]) -> dict[Kind, int]:
    """What a page says that it shows: of each kind the number that comes next; nothing where that means nothing."""
    said = {kind: query.get(kind, "") for kind in Kind}
    return {kind: int(end) for kind, end in said.items() if end.isascii() and end.isdecimal() and len(end) < 16}


def difference(shown: Mapping[Kind, Drawn | int], now: Mapping[Kind, Drawn]) -> str:
    """The partials that bring a page from one moment to the next.

    A page that says what it shows gets everything or nothing, which may come twice or cross another answer; only one
    that was sent what came before on the same socket gets what is new alone.
    """
    return "".join(_difference(shown.get(kind), drawn) for kind, drawn in now.items() if drawn.chunks)


def _difference(shown: Drawn | int | None, now: Drawn) -> str:
    if shown == now.end:
        return ""
    if not isinstance(shown, Drawn) or shown.turn != now.turn:
        return fragments.partial(f"#{now.id}", "outerMorph", output.whole(now))
    parts = []
    if new := [chunk for chunk in now.chunks if chunk.number >= shown.end]:
        entries = output.appended(now, new, shown.chunks[-1])
        parts.append(fragments.partial(f"#{now.id}-entries", "beforeend", entries))
    if now.dropped != shown.dropped:
        parts.append(fragments.partial(f"#{now.id}-dropped", "innerHTML", output.dropped(now)))
    return "".join(parts)
