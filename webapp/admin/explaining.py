"""The audience of a task, and the rule that decides about a person, in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobs.authoring import Task
from jobs.runs import Rule, groups
from webapp import rights
from webapp.accounts.users import Account
from webapp.admin import messages
from webapp.current import backend


@dataclass(frozen=True)
class Audience:
    """The names of the groups that a task is for, none if it is for everybody, and whether its file decides that.

    `unknown` are the names in its file that no group has; a group that was deleted has no name.
    """

    names: tuple[str, ...]
    by_file: bool
    unknown: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return in_words(self.names) or messages.EVERYBODY


def audiences(tasks: Sequence[Task]) -> list[Audience]:
    """Return who each task is for."""
    known = groups.names(backend().database)
    chosen = groups.for_tasks(backend().database, [task.name for task in tasks])
    return [_audience(task, known, chosen.get(task.name)) for task in tasks]


def _audience(task: Task, known: Mapping[int, str], chosen: Collection[int] | None) -> Audience:
    if chosen is None:
        return Audience(tuple(task.groups), True, tuple(name for name in task.groups if name not in known.values()))
    return Audience(tuple(known.get(group, messages.DELETED_GROUP) for group in chosen), False)


def explained(user: Account, task: Task) -> str:
    """Say whether a user sees and runs a task, and which rule decides that."""
    theirs = rights.of(user.id)
    decision, [whom] = theirs.decide(task), audiences([task])
    source = messages.BY_FILE if whom.by_file else messages.BY_PAGE
    mine = in_words(theirs.groups.values()) or messages.NO_GROUP
    values = {"user": user.email, "task": task.title, "wanted": whom.words, "mine": mine, "source": source}
    more = f" {messages.VIEWERS_TOO}" if decision.rule is not Rule.DISABLED and decision.sees > decision.runs else ""
    return messages.RULES[decision.rule].format(**values) + more


def in_words(names: Iterable[str]) -> str:
    """Join names as in a sentence."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
