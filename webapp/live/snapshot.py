"""Snapshots of a page's content, and the updates that bring a page from an earlier one to the current one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from jobs.runs import OutputKind, Run, State, WaitEstimate
from jobs.storage import Database
from webapp.live import output_difference
from webapp.live.output_difference import ClientOutput
from webapp.rendering import fragments
from webapp.rendering.listings import Listing, Page, look_up
from webapp.runs.output import RenderedOutput

LONGEST_CLAIM = 2000


@dataclass(frozen=True)
class Fragment:
    """A rendered run at one version, and its wait estimate, which changes without a new version."""

    version: int
    wait_estimate: str
    html: str


@dataclass(frozen=True)
class ClientState:
    """The content that a page already shows.

    `versions` maps run ids to versions in the page's order; `more` says whether older runs follow. `output` holds the
    output sent to the page, or the output that the page claims to show.
    """

    versions: Mapping[int, int]
    more: bool
    wait_estimates: Mapping[int, str] = field(default_factory=dict)
    stopping: frozenset[int] = frozenset()
    ended: frozenset[int] = frozenset()
    output: Mapping[OutputKind, RenderedOutput | ClientOutput] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A listing's runs and their fragments by run id, each rendered once for all pages that show the listing."""

    page: Page
    fragments: Mapping[int, Fragment] = field(default_factory=dict)
    output: Mapping[OutputKind, RenderedOutput] = field(default_factory=dict)

    @cached_property
    def shown(self) -> ClientState:
        """The state of a page after it was sent this snapshot, shared by all such pages."""
        return ClientState(
            {run_id: fragment.version for run_id, fragment in self.fragments.items()},
            self.page.more,
            {run_id: fragment.wait_estimate for run_id, fragment in self.fragments.items()},
            frozenset(run.id for run in self.page.runs if run.stopping),
            frozenset(run.id for run in self.page.runs if run.state.ended),
            self.output,
        )


def take_snapshot(database: Database, listing: Listing, earlier: Snapshot | None, move: bool = True) -> Snapshot:
    """Read the current content of a listing, reusing the fragments of an earlier snapshot that are unchanged.

    Unless they `move`, wait estimates stay as in the earlier one: a long queue changes them with every run that starts.
    """
    page = look_up(database, listing, None if move or earlier is None else earlier.page.wait_estimates)
    known = earlier.fragments if earlier else {}
    rendered = {run.id: _render(page, run, known.get(run.id)) for run in page.runs}
    output = output_difference.render_all(database, page, earlier.output if earlier else {})
    return Snapshot(replace(page, runs=[_light(run) for run in page.runs]), rendered, output)


def _light(run: Run) -> Run:
    """Return a copy of a rendered run without its parameters and its result, which may be large."""
    kept = {"id": run.id, "owner_id": run.owner_id, "task": run.task, "state": run.state, "version": run.version}
    return Run(**kept, stop_requested_at=run.stop_requested_at)


def _render(page: Page, run: Run, known: Fragment | None) -> Fragment:
    expected = page.wait_estimates.get(run.id)
    wait_estimate = _wait_estimate(run, expected)
    if known and (known.version, known.wait_estimate) == (run.version, wait_estimate):
        return known
    if page.is_single:
        return Fragment(run.version, wait_estimate, fragments.full(run, expected, code=page.listing.code))
    return Fragment(run.version, wait_estimate, fragments.row(run, expected, page.listing.titled))


def _wait_estimate(run: Run, expected: WaitEstimate | None) -> str:
    return fragments.wait_estimate(run, expected) if run.state is State.QUEUED else ""


def client_state_from(query: Mapping[str, str]) -> ClientState | None:
    """Parse the state that a page claims: `shown=12.3,11.4` lists runs with versions, `more` means that others follow.

    Return None if there is no claim or it cannot be parsed.
    """
    pairs = [one.split(".") for one in query.get("shown", "-")[:LONGEST_CLAIM].split(",") if one]
    if not all(len(pair) == 2 and all(part.isascii() and part.isdecimal() for part in pair) for pair in pairs):
        return None
    versions = {int(run_id): int(version) for run_id, version in pairs}
    return ClientState(versions, "more" in query, output=output_difference.client_output_from(query))


def difference(shown: ClientState | None, now: Snapshot) -> str:
    """Return the partials that bring a page from `shown` to `now`; empty if there is no difference.

    A page whose state is unknown (None) gets everything.
    """
    if shown is None:
        return _frame(ClientState({}, not now.page.more), now)
    return _frame(shown, now) + _announcements(shown, now)


def _frame(shown: ClientState, now: Snapshot) -> str:
    if not now.page.is_single and (list(shown.versions) != list(now.fragments) or shown.more != now.page.more):
        return _list(shown, now)
    if now.page.is_single and shown.versions and not now.fragments:
        return fragments.deleted(*shown.versions)
    changed = "".join(_change(shown, run_id, fragment) for run_id, fragment in now.fragments.items())
    return changed + output_difference.difference(shown.output, now.output)


def _list(shown: ClientState, now: Snapshot) -> str:
    """Return the whole list, with placeholders for the rows that the page already has."""
    runs = now.fragments.items()
    rows = [fragments.kept(run_id, one.version) if _has(shown, run_id, one) else one.html for run_id, one in runs]
    # The page keeps a row that it has meanwhile received in a response, so wait estimates are sent separately.
    moved = "".join(_moved(run_id, one) for run_id, one in runs if _has_moved(shown, run_id, one))
    return fragments.partial("#runs", "outerMorph", fragments.listing(now.page, rows)) + moved


def _change(shown: ClientState, run_id: int, fragment: Fragment) -> str:
    if not _has(shown, run_id, fragment):
        return fragments.partial(f"#run-{run_id}", "outerMorph", fragment.html)
    return _moved(run_id, fragment) if _has_moved(shown, run_id, fragment) else ""


def _has(shown: ClientState, run_id: int, fragment: Fragment) -> bool:
    return shown.versions.get(run_id, 0) >= fragment.version


def _has_moved(shown: ClientState, run_id: int, fragment: Fragment) -> bool:
    return bool(fragment.wait_estimate) and shown.wait_estimates.get(run_id) != fragment.wait_estimate


def _moved(run_id: int, fragment: Fragment) -> str:
    return fragments.partial(f"#run-{run_id}-wait_estimate", "outerMorph", fragment.wait_estimate)


def _announcements(shown: ClientState, now: Snapshot) -> str:
    newest = max(shown.versions, default=0)
    changed = [run for run in now.page.runs if _is_announced(shown, newest, run)]
    if not changed:
        return ""
    return fragments.partial("#announcer", "innerHTML", " ".join(fragments.announcement(run) for run in changed))


def _is_announced(shown: ClientState, newest: int, run: Run) -> bool:
    """Return whether a run has ended, or is being stopped, since the page's last update."""
    if run.id not in shown.versions:
        return run.state.ended and run.id > newest
    is_news = run.state.ended and run.id not in shown.ended
    return shown.versions[run.id] < run.version and (is_news or (run.stopping and run.id not in shown.stopping))
