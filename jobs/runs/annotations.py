"""Annotations of runs: the name, note, tags and star that their owner gives them."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import select, update

from jobs.runs import events, run_tags, run_text
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.run import Run
from jobs.runs.run_tags import LONGEST_TAG
from jobs.values.text import keepable

LONGEST_NAME = 100
LONGEST_NOTE = 4000
MOST_TAGS = 20

UNFIT = re.compile(r'[\s,"\x00-\x1f\x7f]')
TOO_LONG = "Use at most {most:,} characters. There are {count:,}."
TOO_MANY_TAGS = "A run has at most {most} tags. There are {count}."
LONG_TAG = "A tag has at most {most} characters: {tag}…"
NO_WORD = "A tag is one word, without commas and quotes: {tag}"

COLUMNS = (Run.id, Run.owner_id, Run.version, Run.name, Run.note, Run.tags, Run.starred)


class Annotations(NamedTuple):
    """A run's annotations; None for those that stay as they are."""

    name: str | None = None
    note: str | None = None
    tags: Iterable[str] | None = None
    starred: bool | None = None


class Refused(ValueError):
    """Annotations that cannot be kept, with a message for each by its name."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


def annotate(backend: Backend, owner_id: int, run_id: int, given: Annotations) -> None:
    """Change the annotations of an owner's run. Repeating it has no effect. Raises Refused."""
    values = _values(given)
    with backend.database.write() as session:
        mine = (Run.id == run_id) & (Run.owner_id == owner_id)
        row = session.execute(select(*COLUMNS).where(mine).with_for_update()).mappings().first()
        changed = {name: value for name, value in values.items() if row and row[name] != value}
        if not row or not changed:
            return
        session.execute(update(Run).where(mine).values(**changed, version=Run.version + 1))
        if "tags" in changed:
            run_tags.replace(session, owner_id, run_id, changed["tags"])
        if "name" in changed or "note" in changed:
            run_text.make_again(session, run_id)
    events.publish(backend.redis, Change(run_id, owner_id, row["version"] + 1))


def tags_in(text: str) -> list[str]:
    """Return the tags in a text, in which commas or spaces separate them."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def _values(given: Annotations) -> dict[str, Any]:
    problems: dict[str, str] = {}
    values: dict[str, Any] = {} if given.starred is None else {"starred": given.starred}
    if given.name is not None:
        values["name"] = " ".join(keepable(given.name).split())
    if given.note is not None:
        values["note"] = keepable(given.note.replace("\r\n", "\n")).strip()
    if given.tags is not None:
        values["tags"] = sorted({_tag(one) for one in given.tags} - {""})
        if problem := problem_with_tags(values["tags"]):
            problems["tags"] = problem
    for name, most in (("name", LONGEST_NAME), ("note", LONGEST_NOTE)):
        if (count := len(values.get(name, ""))) > most:
            problems[name] = TOO_LONG.format(most=most, count=count)
    if problems:
        raise Refused(problems)
    return values


def _tag(text: str) -> str:
    return keepable(text).strip().removeprefix("#").lower()


def problem_with_tags(tags: list[str]) -> str:
    """Return why a run cannot have these tags, or an empty string."""
    if len(tags) > MOST_TAGS:
        return TOO_MANY_TAGS.format(most=MOST_TAGS, count=len(tags))
    for tag in tags:
        if len(tag) > LONGEST_TAG:
            return LONG_TAG.format(most=LONGEST_TAG, tag=tag[:LONGEST_TAG])
        if UNFIT.search(tag):
            return NO_WORD.format(tag=tag)
    return ""
