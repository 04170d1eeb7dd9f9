"""The open pages of a process, indexed by session: there may be ten thousand, and checks must not visit each."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jobs.storage import Database
from webapp.accounts import sessions
from webapp.live.subscribers import OpenPage


class OpenPages:
    """The set of a process's open pages, which finds those whose session has ended."""

    def __init__(self) -> None:
        self._all: set[OpenPage] = set()
        self._sessions = Counter[int]()
        self._places = Counter[str]()
        self._viewers = Counter[int]()
        self._first_end = math.inf  # no session expires before this

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[OpenPage]:
        return iter(list(self._all))

    def add(self, open_page: OpenPage) -> None:
        self._all.add(open_page)
        self._sessions[open_page.session] += 1
        self._places[open_page.place] += 1
        self._viewers[open_page.viewer_id] += 1
        self._first_end = min(self._first_end, open_page.ends_at)

    def remove(self, open_page: OpenPage) -> None:
        self._all.remove(open_page)
        _count_down(self._sessions, open_page.session)
        _count_down(self._places, open_page.place)
        _count_down(self._viewers, open_page.viewer_id)

    def of_place(self, place: str) -> int:
        """Return how many pages a place has open."""
        return self._places[place]

    def of_viewer(self, viewer_id: int) -> int:
        """Return how many pages somebody has open."""
        return self._viewers[viewer_id]

    def signed_out(self, database: Database) -> list[OpenPage]:
        """Return the pages whose session was revoked or has expired."""
        here = set(self._sessions)
        ended = here - sessions.current(database, here) if here else here
        now = time.time()
        if not ended and now < self._first_end:
            return []
        self._first_end = min((open_page.ends_at for open_page in self), default=math.inf)
        return [open_page for open_page in self if open_page.ends_at <= now or open_page.session in ended]


def _count_down(counter: Counter[Any], key: object) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
