"""Listings in query strings, used alike by a page and its socket so that both show the same runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from jobs.runs import LARGEST_ID, WHOLE, Access, Run, Selection, State, WaitEstimate, listed, seen_with, wait_estimates
from jobs.storage import Database
from webapp.rendering.query import LONGEST, whole_number

PAGE_SIZE = 25
MOST_IDS = PAGE_SIZE  # that one page shows


@dataclass(frozen=True)
class Listing(Selection):
    """The runs that a page shows, and the path that its addresses are below.

    `output` is whether the page of a single run streams its output, and `code` whether it shows a traceback. `access`
    is what the reader sees of the runs, and `titled` whether rows name their task.
    """

    output: bool = True
    code: bool = False
    titled: bool = True
    url_prefix: str = ""
    access: Access = WHOLE

    @property
    def words(self) -> str | None:
        """Return the query of the history by which these runs are found there, or None if it is all of them."""
        terms = {"task": self.task, "state": self.state and self.state.value, "tag": self.tag}
        terms["starred"] = "yes" if self.starred else None
        return " ".join(f"{key}:{value}" for key, value in terms.items() if value) or None


@dataclass(frozen=True)
class Page:
    """The runs of a listing, whether older ones follow, and the wait estimates of queued runs by id."""

    listing: Listing
    runs: Sequence[Run]
    more: bool
    wait_estimates: Mapping[int, WaitEstimate] = field(default_factory=dict)

    @property
    def is_preview(self) -> bool:
        """Return whether this is a preview of the newest runs, with the others on another page."""
        return self.listing.limit < PAGE_SIZE

    @property
    def is_single(self) -> bool:
        """Return whether this is a run's own page."""
        return self.listing.run_id is not None


def look_up(database: Database, listing: Listing, known: Mapping[int, WaitEstimate] | None = None) -> Page:
    """Read one page of runs, and one run more to find out whether another page follows.

    Runs that are queued as before keep the wait estimates that are `known`.
    """
    with database.read() as session:
        found = listed(session, replace(listing, limit=listing.limit + 1))
    runs = [seen_with(run, listing.access) for run in found[: listing.limit]]
    kept = {run.id: known[run.id] for run in runs if known and run.id in known and run.state is State.QUEUED}
    # What runs wait for is in words for their owner.
    new = [run for run in runs if run.id not in kept]
    estimated = {**kept, **wait_estimates(database, new)} if listing.access.owns else {}
    return Page(listing, runs, len(found) > listing.limit, estimated)


def of_run(access: Access, run_id: int, output: bool = True, code: bool = False) -> Listing:
    """Return the listing of a run's own page, for somebody who sees so much of it."""
    return Listing(access.owner_id, run_id=run_id, output=output and access.log, code=code, access=access)


def from_query(owner_id: int, query: Mapping[str, str]) -> Listing:
    """Parse a listing from a query string, ignoring invalid values."""
    state = query.get("state", "")
    return Listing(
        owner_id=owner_id,
        task=query.get("task", "").replace("\x00", "") or None,
        state=State(state) if state in set(State) else None,
        run_id=_id(query.get("run")),
        before=_id(query.get("before")),
        limit=min(whole_number(query.get("limit")) or PAGE_SIZE, PAGE_SIZE),
        running_first=query.get("first") == State.RUNNING,
        output=query.get("output") != "no",
        tag=query.get("tag", "").replace("\x00", "").lower() or None,
        starred=query.get("starred") == "yes",
        run_ids=_ids(query["runs"]) if "runs" in query else None,
        titled=query.get("titles") != "no",
    )


def to_query(listing: Listing) -> dict[str, str]:
    """Return the query parameters from which `from_query` restores the listing."""
    parts = {
        "task": listing.task,
        "state": listing.state.value if listing.state else None,
        "run": listing.run_id,
        "before": listing.before,
        "limit": listing.limit if listing.limit != PAGE_SIZE else None,
        "first": State.RUNNING.value if listing.running_first else None,
        "output": None if listing.output or not listing.access.log else "no",
        "runs": None if listing.run_ids is None else ".".join(map(str, listing.run_ids)),
        "tag": listing.tag,
        "starred": "yes" if listing.starred else None,
        "parts": listing.access.mark or None,
        "titles": None if listing.titled else "no",
    }
    return {name: str(value) for name, value in parts.items() if value is not None}


def _ids(text: str) -> tuple[int, ...]:
    return tuple(number for one in text[: MOST_IDS * (LONGEST + 1)].split(".")[:MOST_IDS] if (number := _id(one)))


def _id(text: str | None) -> int | None:
    number = whole_number(text)
    return number if number and number <= LARGEST_ID else None
