"""The tasks on the start page: those that a person has pinned or recently used, and all by group."""

from collections.abc import Collection
from dataclasses import dataclass

from flask import Flask
from flask_login import current_user

from jobs.authoring import Task
from jobs.runs import pinned, recent_tasks
from webapp import rights
from webapp.current import backend

MOST_RECENT = 6


@dataclass(frozen=True)
class StartPage:
    """The tasks that a person sees by group, those at hand, and the names of those with every word of the filter.

    `at_hand` has the pinned tasks and then the recently used ones.
    """

    query: str
    groups: dict[str, list[Task]]
    at_hand: list[Task]
    pinned: Collection[str]
    found: Collection[str]

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.strip())


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(words_of=words_of)


def start_page(query: str) -> StartPage:
    """Return the current user's start page with a filter."""
    seen = rights.visible()
    with backend().database.read() as session:
        pins, recent = pinned(session, current_user.id), recent_tasks(session, current_user.id)
    used = [name for name in recent if name not in pins and name in seen][:MOST_RECENT]
    at_hand = [seen[name] for name in (*pins, *used) if name in seen]
    found = frozenset(name for name, task in seen.items() if _has_words(task, query))
    return StartPage(query, _by_group(seen.values()), at_hand, frozenset(pins), found)


def words_of(task: Task) -> str:
    """Return the text in which the filter looks for words, also as one types (static/js/filter.js)."""
    return " ".join([task.title, task.name, task.group, *task.tags, task.description]).lower()


def _has_words(task: Task, query: str) -> bool:
    words = words_of(task)
    return all(word in words for word in query.lower().split())


def _by_group(tasks: Collection[Task]) -> dict[str, list[Task]]:
    """Group tasks, which are sorted, under sorted headings. Those without a group come last."""
    headings = sorted({task.group for task in tasks}, key=lambda group: (not group, group.lower(), group))
    return {heading: [task for task in tasks if task.group == heading] for heading in headings}
