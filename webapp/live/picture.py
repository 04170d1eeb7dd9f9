"""What a page should show at one moment, and what has to be sent to a page that shows an earlier one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs import Database, Listing, Run
from webapp import fragments
from webapp.listings import Page, look_up


@dataclass(frozen=True)
class Picture:
    """A page's runs with their fragments, each rendered once for all pages that show the same."""

    page: Page
    html: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @property
    def runs(self) -> Mapping[int, Run]:
        return {run.id: run for run in self.page.runs}


def draw(database: Database, listing: Listing, earlier: Picture | None) -> Picture:
    """Read what the page shows now; a fragment whose version has not changed is kept."""
    page = look_up(database, listing)
    render = fragments.full if page.single else fragments.row
    known = earlier.html if earlier else {}
    keys = [((run.id, run.version), run) for run in page.runs]
    return Picture(page, {key: known.get(key) or render(run) for key, run in keys})


def difference(shown: Picture | None, now: Picture) -> str:
    """The partials that bring a page from one picture to the next; empty when it shows that already."""
    if shown is None:
        return _snapshot(now)
    if list(shown.runs) != list(now.runs) or shown.page.more != now.page.more:
        return _snapshot(now) + _announcements(shown, now)
    changed = "".join(_fragment(key, html) for key, html in now.html.items() if key not in shown.html)
    return changed + _announcements(shown, now)


def _snapshot(now: Picture) -> str:
    if now.page.single:
        return "".join(_fragment(key, html) for key, html in now.html.items())
    return fragments.partial("#runs", "outerMorph", fragments.listing(now.page, list(now.html.values())))


def _fragment(key: tuple[int, int], html: str) -> str:
    return fragments.partial(f"#run-{key[0]}", "outerMorph", html)


def _announcements(shown: Picture, now: Picture) -> str:
    newest = max(shown.runs, default=0)
    ended = [run for run in now.page.runs if run.state.ended and _was_open(shown.runs.get(run.id), run, newest)]
    if not ended:
        return ""
    return fragments.partial("#announcer", "innerHTML", " ".join(fragments.announcement(run) for run in ended))


def _was_open(before: Run | None, run: Run, newest: int) -> bool:
    return not before.state.ended if before else run.id > newest
