"""The history: a query and a place in it, the runs that are found there, and the ways to those before and after."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.runs import LARGEST_ID, SavedFilter, Search, find, saved_filters
from jobs.storage import Database
from webapp import rights
from webapp.rendering.listings import PAGE_SIZE, Listing, Page, look_up
from webapp.rendering.query import whole_number
from webapp.runs.query import Query, changed, parse

SELECTS = ("task", "state", "tag", "starred")
MOST_COUNTED = 99
COUNT_SECONDS = 0.05  # for all saved filters of a page


@dataclass(frozen=True)
class Place:
    """A place in the history: below the id `before`, or next above the id `after`."""

    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class History:
    """A page of the history. `newer` and `older` are the places that lead on, or None.

    If the search stopped because it took too long, `stopped_time` says how far it looked. `unindexed` is true if older
    runs cannot be searched yet.
    """

    page: Page
    newer: Place | None = None
    older: Place | None = None
    stopped_time: datetime | None = None
    unindexed: bool = False


def titles(past: Mapping[str, str]) -> dict[str, str]:
    """Return the titles of the tasks that the person sees, and of others that they have runs of, by name."""
    return {**{name: task.title for name, task in rights.visible().items()}, **past}


def query_from(given: Mapping[str, str], titles: Mapping[str, str]) -> Query:
    """Return the query of an address, with what was chosen beside the box written into it.

    `was` is the query that the page had: a choice counts if it differs from that, and otherwise what is in the box.
    """
    text, was = given.get("q", ""), parse(given.get("was", ""), titles)
    for key in SELECTS:
        chosen = given.get(key)
        if chosen is not None and chosen != _choice(was, key):
            text = changed(text, key, chosen.replace("\x00", ""))
    return parse(text, titles)


def _choice(query: Query, key: str) -> str:
    """Return what is chosen beside the box for a query."""
    value = getattr(query, key)
    return "yes" if value is True else value or ""


def place_from(given: Mapping[str, str]) -> Place:
    """Return the place of an address, ignoring invalid values."""
    before, after = (whole_number(given.get(name)) for name in ("before", "after"))
    return Place(*(number if number and number <= LARGEST_ID else None for number in (before, after)))


def look(database: Database, query: Query, owner_id: int, place: Place, limit: int = PAGE_SIZE) -> History:
    """Return the runs of an owner that fit a query, at a place."""
    if query.is_plain and place.after is None:
        page = look_up(database, _listing(query, owner_id, place, limit))
        return History(page, _newer(page, place), Place(before=page.runs[-1].id) if page.more else None)
    found = find(database, query.search(owner_id, place.before, place.after), limit + 1)
    is_all = found.stopped_at is None and len(found.run_ids) <= limit
    if place.after is None:
        page = _page(database, owner_id, found.run_ids[:limit])
        last = None if is_all else found.stopped_at or found.run_ids[limit - 1]
        older = Place(before=last) if last else None
        return History(page, _newer(page, place), older, found.stopped_time, found.unindexed)
    if is_all:
        return look(database, query, owner_id, Place(), limit)
    if query.is_plain:
        return look(database, query, owner_id, Place(before=found.run_ids[0]), limit)
    run_ids = found.run_ids[-limit:]
    newest = found.stopped_at or run_ids[0]
    oldest = run_ids[-1] if run_ids else place.after + 1
    page = _page(database, owner_id, run_ids)
    return History(page, Place(after=newest), Place(before=oldest), found.stopped_time)


def _listing(query: Query, owner_id: int, place: Place, limit: int) -> Listing:
    starred = query.starred or False
    return Listing(owner_id, query.task, query.state, None, place.before, limit, tag=query.tag, starred=starred)


@dataclass(frozen=True)
class Counted:
    """A saved filter, and how many runs it finds now, in words: up to 99, and nothing if that took too long."""

    filter: SavedFilter
    count: str


def counted(database: Database, owner_id: int, titles: Mapping[str, str]) -> list[Counted]:
    """Return an owner's saved filters with their counts."""
    deadline = time.monotonic() + COUNT_SECONDS
    return [
        Counted(one, _count(database, parse(one.query, titles).search(owner_id), deadline - time.monotonic()))
        for one in saved_filters.listed(database, owner_id)
    ]


def _count(database: Database, search: Search, seconds: float) -> str:
    if seconds < 0:
        return ""
    found = find(database, search, MOST_COUNTED + 1, seconds)
    many = min(len(found.run_ids), MOST_COUNTED)
    return f"{many}+" if len(found.run_ids) > many or found.stopped_at else str(many)


def _page(database: Database, owner_id: int, run_ids: Sequence[int]) -> Page:
    return look_up(database, Listing(owner_id, run_ids=tuple(run_ids), limit=max(PAGE_SIZE, len(run_ids))))


def _newer(page: Page, place: Place) -> Place | None:
    """Return the place of the runs above a page; without a place, the page has the newest ones."""
    if place.before is None:
        return None
    return Place(after=page.runs[0].id if page.runs else place.before - 1)
