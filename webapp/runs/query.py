"""The language of the history's search: `task:resize state:failed input.dpi:300 since:7d "free text"`.

A query is a row of terms, all of which a run must fit. A term that cannot be understood is left out and explained.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.runs import Search, State, words_in
from jobs.storage import utcnow
from webapp.runs import messages

LONGEST = 500
MOST_TERMS = 20
LEAST_LETTERS = 3  # before `*`: fewer would fit too many words
LONGEST_AGO = timedelta(days=36_500)
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
TERM = re.compile(r'(?:(?P<key>[^\s":]+):)?(?:"(?P<quoted>[^"]*)(?P<closed>"?)|(?P<bare>[^\s"]*))')
AGO = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
INPUT = "input."


@dataclass(frozen=True)
class Term:
    """A term as it was written: `key:value`, or without a key."""

    raw: str
    key: str
    value: str
    is_quoted: bool = False
    is_closed: bool = True


@dataclass(frozen=True)
class Query:
    """A query as it was written, what it means, and a message for each term that was left out.

    Times are moments; `7d` means seven days before the query was read.
    """

    text: str = ""
    task: str | None = None
    state: State | None = None
    tag: str | None = None
    starred: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    phrases: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def is_plain(self) -> bool:
        """Return whether a listing that changes by itself shows what the query is for."""
        return not (self.since or self.until or self.inputs or self.phrases)

    def search(self, owner_id: int, before: int | None = None, after: int | None = None) -> Search:
        """Return the search for an owner's runs, below or above a place."""
        meant = (self.task, self.state, self.since, self.until, self.inputs, self.phrases)
        return Search(owner_id, *meant, before, after, self.tag, self.starred or False)


class Misunderstood(ValueError):
    """A term that cannot be understood; the message says why."""


def parse(text: str, titles: Mapping[str, str]) -> Query:
    """Return what a query means, with the titles of the tasks that it may name."""
    text = text.replace("\x00", "").strip()
    if len(text) > LONGEST:
        return Query(text, problems=(messages.LONG_QUERY.format(most=LONGEST),))
    query, problems = Query(text), list[str]()
    terms = terms_in(text)
    for term in terms[:MOST_TERMS]:
        try:
            query = _with(query, term, titles)
        except Misunderstood as error:
            problems.append(str(error))
    if len(terms) > MOST_TERMS:
        problems.append(messages.MANY_TERMS.format(most=MOST_TERMS))
    return replace(query, problems=tuple(problems))


def terms_in(text: str) -> list[Term]:
    """Return the terms of a query."""
    return [
        Term(
            found[0],
            (found["key"] or "").casefold(),
            found["bare"] if found["quoted"] is None else found["quoted"],
            found["quoted"] is not None,
            found["closed"] != "",
        )
        for found in TERM.finditer(text)
        if found[0]
    ]


def written(key: str, value: str) -> str:
    """Return a term as it is written."""
    value = value.replace('"', "")
    return f'{key}:"{value}"' if re.search(r"\s", value) or not value else f"{key}:{value}"


def changed(text: str, key: str, value: str) -> str:
    """Return a query with this value for a key in place of others, or without the key if there is no value."""
    others = [term.raw for term in terms_in(text) if term.key != key]
    return " ".join([*([written(key, value)] if value else []), *others])


def _with(query: Query, term: Term, titles: Mapping[str, str]) -> Query:
    if not term.is_closed:
        raise Misunderstood(messages.OPEN_QUOTE.format(term=term.raw))
    if not term.key:
        return replace(query, phrases=(*query.phrases, _phrase(term)))
    if not term.value.strip():
        raise Misunderstood(messages.NO_VALUE.format(term=term.raw))
    if term.key.startswith(INPUT) and len(term.key) > len(INPUT):
        return replace(query, inputs=(*query.inputs, (term.key.removeprefix(INPUT), term.value)))
    if term.key not in READERS:
        raise Misunderstood(messages.NO_FILTER.format(term=term.raw, quoted=term.raw.replace('"', "")))
    name, read = READERS[term.key]
    if getattr(query, name) is not None:
        raise Misunderstood(messages.STANDS_TWICE.format(key=term.key, term=term.raw))
    meant: dict[str, Any] = {name: read(term.value, titles)}
    return replace(query, **meant)


def _phrase(term: Term) -> str:
    words = words_in(term.value)
    if not term.is_quoted and term.value in ("OR", "AND", "NOT"):
        raise Misunderstood(messages.NO_OPERATOR.format(term=term.value))
    if not term.is_quoted and re.match(r"-\D", term.value):
        raise Misunderstood(messages.NO_EXCLUSION.format(term=term.value))
    if not words:
        raise Misunderstood(messages.NO_WORDS.format(term=term.raw))
    if "*" in term.value and (not re.fullmatch(r"[^*]*\w\*", term.value) or len(words[-1]) < LEAST_LETTERS):
        raise Misunderstood(messages.BAD_STAR.format(term=term.raw, least=LEAST_LETTERS))
    return term.value


def _task(value: str, titles: Mapping[str, str]) -> str:
    """Return the task with this name, or else with this title."""
    if value in titles:
        return value
    named = [name for name, title in titles.items() if value.casefold() in (name.casefold(), title.casefold())]
    if not named:
        raise Misunderstood(messages.NO_SUCH_TASK.format(name=value))
    return named[0]


def _state(value: str, _titles: Mapping[str, str]) -> State:
    if value.casefold() not in set(State):
        raise Misunderstood(messages.NO_SUCH_STATE.format(name=value, states=", ".join(State)))
    return State(value.casefold())


def _tag(value: str, _titles: Mapping[str, str]) -> str:
    return value.lower()


def _starred(value: str, _titles: Mapping[str, str]) -> bool:
    if value.casefold() != "yes":
        raise Misunderstood(messages.NOT_STARRED.format(value=value))
    return True


def _moment(value: str, _titles: Mapping[str, str]) -> datetime:
    """Return the moment of a date or time, in UTC unless it has an offset, or of so long ago."""
    today = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    if moment := named.get(value.casefold()):
        return moment
    try:
        if found := AGO.fullmatch(value.casefold()):
            ago = timedelta(**{UNITS[found[2]]: int(found[1])})
            return utcnow() - min(ago, LONGEST_AGO)
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misunderstood(messages.NO_MOMENT.format(term=value)) from None


READERS: dict[str, tuple[str, Callable[[str, Mapping[str, str]], Any]]] = {
    "task": ("task", _task),
    "state": ("state", _state),
    "tag": ("tag", _tag),
    "starred": ("starred", _starred),
    "since": ("since", _moment),
    "before": ("until", _moment),
}
