"""What a page should show at one moment, and what has to be sent to a page that shows an earlier one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs import Database, Listing, Outlook, Run, State
from webapp import fragments
from webapp.listings import Page, look_up


@dataclass(frozen=True)
class Fragment:
    """A run at one version as the page shows it, with its outlook, which moves while the version stands."""

    version: int
    outlook: str
    html: str


@dataclass(frozen=True)
class Picture:
    """A page's runs with their fragments by id, each rendered once for all pages that show the same."""

    page: Page
    fragments: Mapping[int, Fragment] = field(default_factory=dict)

    @property
    def runs(self) -> Mapping[int, Run]:
        return {run.id: run for run in self.page.runs}


def draw(database: Database, listing: Listing, earlier: Picture | None) -> Picture:
    """Read what the page shows now; a fragment that would be the same is kept."""
    page = look_up(database, listing)
    known = earlier.fragments if earlier else {}
    return Picture(page, {run.id: _drawn(page, run, known.get(run.id)) for run in page.runs})


def _drawn(page: Page, run: Run, known: Fragment | None) -> Fragment:
    expected = page.outlooks.get(run.id)
    outlook = _outlook(run, expected)
    if known and (known.version, known.outlook) == (run.version, outlook):
        return known
    render = fragments.full if page.single else fragments.row
    return Fragment(run.version, outlook, render(run, expected))


def _outlook(run: Run, expected: Outlook | None) -> str:
    return fragments.outlook(run, expected) if run.state is State.QUEUED else ""


def difference(shown: Picture | None, now: Picture) -> str:
    """The partials that bring a page from one picture to the next; empty when it shows that already."""
    if shown is None:
        return _snapshot(now)
    if list(shown.runs) != list(now.runs) or shown.page.more != now.page.more:
        return _snapshot(now) + _announcements(shown, now)
    changed = [_change(run_id, shown.fragments[run_id], fragment) for run_id, fragment in now.fragments.items()]
    return "".join(changed) + _announcements(shown, now)


def _snapshot(now: Picture) -> str:
    """Everything. A page keeps a run it shows at the same version already, so the outlooks come by themselves too."""
    runs = now.fragments.items()
    outlooks = "".join(_moved(run_id, fragment) for run_id, fragment in runs if fragment.outlook)
    if now.page.single:
        return "".join(_whole(run_id, fragment) for run_id, fragment in runs) + outlooks
    rows = [fragment.html for _, fragment in runs]
    return fragments.partial("#runs", "outerMorph", fragments.listing(now.page, rows)) + outlooks


def _change(run_id: int, before: Fragment, now: Fragment) -> str:
    if before.version != now.version:
        return _whole(run_id, now)
    return _moved(run_id, now) if before.outlook != now.outlook else ""


def _whole(run_id: int, fragment: Fragment) -> str:
    return fragments.partial(f"#run-{run_id}", "outerMorph", fragment.html)


def _moved(run_id: int, fragment: Fragment) -> str:
    return fragments.partial(f"#run-{run_id}-outlook", "outerMorph", fragment.outlook)


def _announcements(shown: Picture, now: Picture) -> str:
    newest = max(shown.runs, default=0)
    news = [run for run in now.page.runs if _is_news(shown.runs.get(run.id), run, newest)]
    if not news:
        return ""
    return fragments.partial("#announcer", "innerHTML", " ".join(fragments.announcement(run) for run in news))


def _is_news(before: Run | None, run: Run, newest: int) -> bool:
    """Whether it has ended, or began to, since the page was last told."""
    if before is None:
        return run.state.ended and run.id > newest
    return (run.state.ended and not before.state.ended) or (run.stopping and not before.stopping)
