"""Open pages that show what their viewers may not see any more."""

from collections.abc import Iterable

from jobs.runs import Backend, rights
from webapp.live.subscribers import OpenPage, Subscribers


def with_other_rights(backend: Backend, groups: Iterable[Subscribers]) -> list[OpenPage]:
    """Return the pages that were made with other rights than their viewers have by now."""
    pages = [(page, group.listing) for group in groups for page in list(group.open_pages)]
    people = {page.viewer_id for page, _listing in pages if page.rights}
    marks = rights.marks(backend.database, people, backend.catalog.values())
    seen = _seen(backend, [(page.viewer_id, one.run_id) for page, one in pages if one.run_id and not one.access.owns])
    return [
        page
        for page, one in pages
        if page.rights not in ("", marks.get(page.viewer_id))
        or (not one.access.owns and seen.get((page.viewer_id, one.run_id)) != one.access.mark)
    ]


def _seen(backend: Backend, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int | None], str]:
    """Return the marks of what viewers see by now of runs that others share, by viewer and run."""
    runs: dict[int, set[int]] = {}
    for viewer_id, run_id in pairs:
        runs.setdefault(viewer_id, set()).add(run_id)
    found: dict[tuple[int, int | None], str] = {}
    for viewer_id, run_ids in runs.items():
        with backend.database.read() as session:
            accesses = rights.access_to_runs(session, viewer_id, run_ids)
        found |= {(viewer_id, run_id): access.mark for run_id, access in accesses.items()}
    return found
