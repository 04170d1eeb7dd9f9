"""The updates that bring a page's run output up to date: all of it at first, then only what is new."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.runs import OutputKind
from jobs.storage import Database
from webapp.rendering import fragments
from webapp.rendering.listings import Page
from webapp.runs import output
from webapp.runs.output import RenderedOutput, render_output

CLAIM = re.compile(r"(\d{1,15})(?:\.(\d{1,15}))?", re.ASCII)


@dataclass(frozen=True)
class ClientOutput:
    """The output that a page claims to show.

    `end` is the number of the next chunk, `version` that of the unfinished lines; 0 if there are none.
    """

    end: int
    version: int = 0


def render_all(
    database: Database, page: Page, earlier: Mapping[OutputKind, RenderedOutput]
) -> dict[OutputKind, RenderedOutput]:
    """Render the current output of the run if the page shows a single run; lists show no output."""
    shown = page.runs if page.is_single and page.listing.output else ()
    return {kind: render_output(database, run, kind, earlier.get(kind)) for run in shown for kind in OutputKind}


def client_output_from(query: Mapping[str, str]) -> dict[OutputKind, ClientOutput]:
    """Parse the claim for each kind of output, `log=3` or `log=3.17`, leaving out invalid ones."""
    matches = {kind: CLAIM.fullmatch(query.get(kind, "")) for kind in OutputKind}
    return {kind: ClientOutput(int(match[1]), int(match[2] or 0)) for kind, match in matches.items() if match}


def difference(
    shown: Mapping[OutputKind, RenderedOutput | ClientOutput], now: Mapping[OutputKind, RenderedOutput]
) -> str:
    """Return the partials that bring a page's output from `shown` to `now`.

    Entries are appended only on a socket that has sent the preceding ones. A page that merely claims what it shows
    gets everything or nothing, because its response may arrive twice or out of order. Unfinished lines are always sent
    whole.
    """
    return "".join(_difference(shown.get(kind), rendered) for kind, rendered in now.items())


def _difference(shown: RenderedOutput | ClientOutput | None, now: RenderedOutput) -> str:
    match shown:
        case RenderedOutput() if shown.resend_after == now.resend_after and (shown.chunks or shown.unfinished):
            return _changes(shown, now)
        case ClientOutput() if max(shown.end, 1) == now.end and (now.chunks or shown.version):
            has = shown.version == (now.version if now.unfinished else 0)
            return "" if has else _unfinished(now)
    return _whole(now) if now.chunks or now.unfinished else ""


def _changes(shown: RenderedOutput, now: RenderedOutput) -> str:
    parts = []
    if new := [chunk for chunk in now.chunks if chunk.number >= shown.end]:
        entries = output.render_chunks(now, new, shown.chunks[-1])
        parts.append(fragments.partial(f"#{now.id}-entries", "beforeend", entries))
    if now.dropped != shown.dropped:
        parts.append(fragments.partial(f"#{now.id}-dropped", "innerHTML", output.render_dropped(now)))
    if now.unfinished != shown.unfinished:
        parts.append(_unfinished(now))
    return "".join(parts)


def _unfinished(now: RenderedOutput) -> str:
    return fragments.partial(f"#{now.id}-unfinished", "outerMorph", output.render_unfinished(now))


def _whole(now: RenderedOutput) -> str:
    return fragments.partial(f"#{now.id}", "outerMorph", output.section(now))
