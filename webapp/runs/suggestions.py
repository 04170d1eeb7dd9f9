"""Suggestions for the search: whole queries, each one term longer than what was written."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from jobs.runs import State
from webapp import rights
from webapp.forms import Field
from webapp.runs.known_tasks import known_task
from webapp.runs.query import INPUT, parse, written

MOST = 12
MOST_TASKS = 20
TIMES = {"1h": "the last hour", "24h": "the last 24 hours", "7d": "the last 7 days", "30d": "the last 30 days"}
# Everything before the last term, which may be unfinished: spaces within quotation marks do not end one.
BEGUN = re.compile(r'((?:[^\s"]*"[^"]*"|[^\s"])*\s+)*')

Suggestion = tuple[str, str]  # a query, and what its last term means


def suggested(text: str, titles: Mapping[str, str]) -> list[Suggestion]:
    """Return queries that go on from what was written."""
    found = BEGUN.match(text)
    begun = found[0] if found else ""
    last = text[len(begun) :].casefold()
    query = parse(begun, titles)
    terms = _terms(query.task, titles)
    fitting = ((f"{begun}{term}", words) for term, words in terms if _goes_on(term.casefold(), last))
    return list(islice(fitting, MOST))


def _goes_on(term: str, last: str) -> bool:
    """Return whether a term begins as what was written, or its value does."""
    key, _colon, value = term.partition(":")
    is_short = ":" not in last
    return term != last and (term.startswith(last) or (is_short and (value.strip('"') or key).startswith(last)))


def _terms(task: str | None, titles: Mapping[str, str]) -> Iterator[Suggestion]:
    for state in State:
        yield written("state", state.value), "state"
    if task is None:
        for name, title in titles.items():
            yield written("task", name), title
    for ago, words in TIMES.items():
        yield written("since", ago), words
    names = [task] if task else list(rights.visible())[:MOST_TASKS]
    fields = {field.name: field for name in names for field in known_task(name).fields.values()}
    for field in fields.values():
        yield from _inputs(field)


def _inputs(field: Field) -> Iterator[Suggestion]:
    if field.kind == "secret":
        return
    values = [str(choice.value) for choice in field.choices if isinstance(choice.value, str | int | float)]
    values = ["yes", "no"] if field.kind == "switch" else values
    for value in values:
        yield written(INPUT + field.name, value), field.label
    if not values:
        yield f"{INPUT}{field.name}:", field.label
