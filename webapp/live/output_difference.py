"""The updates that bring a page's run output up to date: all of it at first, then only what is new."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.runs import Kind
from jobs.storage import Database
from webapp.rendering import fragments
from webapp.rendering.listings import Page
from webapp.runs import output
from webapp.runs.output import Drawn

CLAIM = re.compile(r"(\d{1,15})(?:\.(\d{1,15}))?", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """The output that a page claims to show.

    `end` is the number of the next chunk, `version` that of the unfinished lines; 0 if there are none.
    """

    end: int
    version: int = 0


def draw(database: Database, page: Page, earlier: Mapping[Kind, Drawn]) -> dict[Kind, Drawn]:
    """Return the current output of the run if the page shows a single run; lists show no output."""
    shown = page.runs if page.single and page.listing.output else ()
    return {kind: output.draw(database, run, kind, earlier.get(kind)) for run in shown for kind in Kind}


def claimed(query: Mapping[str, str]) -> dict[Kind, Claim]:
    """Parse the claim for each kind of output, `log=3` or `log=3.17`, leaving out invalid ones."""
    said = {kind: CLAIM.fullmatch(query.get(kind, "")) for kind in Kind}
    return {kind: Claim(int(one[1]), int(one[2] or 0)) for kind, one in said.items() if one}


def difference(shown: Mapping[Kind, Drawn | Claim], now: Mapping[Kind, Drawn]) -> str:
    """Return the partials that bring a page's output from `shown` to `now`.

    Entries are appended only on a socket that has sent the preceding ones. A page that merely claims what it shows
    gets everything or nothing, because its response may arrive twice or out of order. Unfinished lines are always sent
    whole.
    """
    return "".join(_difference(shown.get(kind), drawn) for kind, drawn in now.items())


def _difference(shown: Drawn | Claim | None, now: Drawn) -> str:
    match shown:
        case Drawn() if shown.turn == now.turn and (shown.chunks or shown.unfinished):
            return _news(shown, now)
        case Claim() if max(shown.end, 1) == now.end and (now.chunks or shown.version):
            has = shown.version == (now.version if now.unfinished else 0)
            return "" if has else _unfinished(now)
    return _whole(now) if now.chunks or now.unfinished else ""


def _news(shown: Drawn, now: Drawn) -> str:
    parts = []
    if new := [chunk for chunk in now.chunks if chunk.number >= shown.end]:
        entries = output.appended(now, new, shown.chunks[-1])
        parts.append(fragments.partial(f"#{now.id}-entries", "beforeend", entries))
    if now.dropped != shown.dropped:
        parts.append(fragments.partial(f"#{now.id}-dropped", "innerHTML", output.dropped(now)))
    if now.unfinished != shown.unfinished:
        parts.append(_unfinished(now))
    return "".join(parts)


def _unfinished(now: Drawn) -> str:
    return fragments.partial(f"#{now.id}-unfinished", "outerMorph", output.unfinished(now))


def _whole(now: Drawn) -> str:
    return fragments.partial(f"#{now.id}", "outerMorph", output.whole(now))
