"""The sentence on what a queued run waits for, the same for pages and programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flask import Flask, current_app
from markupsafe import Markup

from jobs.runs import MOST_AHEAD, Blocked, Code, Interval, Run, Wait, WaitEstimate, blocked, wait_of
from webapp.current import backend
from webapp.rendering.layout import address
from webapp.runs import messages
from webapp.runs.filters import attempt, clock, roughly, time_of_day
from webapp.runs.known_tasks import exists

MOST_REMEMBERED = 10_000
SOON = Markup('<time datetime="{}" data-until>{}</time>')
LINK = Markup('<a href="{}">{}</a>')
LATER = Markup('<time datetime="{}" data-exact>{}</time>')


@dataclass
class Memory:
    """For each run, of how few people who were there before it this process has said that they are ahead."""

    people: dict[int, int] = field(default_factory=dict)


def init_app(app: Flask) -> None:
    app.extensions["waits"] = Memory()
    app.jinja_env.filters.update(wait_sentence=in_html)


def wait(run: Run, expected: WaitEstimate | None) -> Wait:
    """Return what a queued run waits for."""
    limit = _limit(run, expected) if expected else None
    return wait_of(run, expected and _never_more(run, expected), exists(run.task), limit)


def _limit(run: Run, expected: WaitEstimate) -> Blocked | None:
    """Return the limit that keeps a run from starting. An owner's is looked up for the run that would be the next."""
    tasks = backend().catalog
    if expected.position > 1 and not (run.task in tasks and tasks[run.task].concurrency):
        return None
    with backend().database.read() as session:
        return blocked(session, backend().settings, tasks, [run]).get(run.id)


def in_html(run: Run, expected: WaitEstimate | None) -> Markup:
    """Return the sentence for a page, which shows moments in the reader's time zone."""
    parts = _parts(run, wait(run, expected), True)
    return Markup("; ").join(Markup(part).format(**values) for part, values in parts)  # noqa: S704  # of our messages


def in_text(run: Run, said: Wait) -> str:
    """Return the sentence for a program, with moments in UTC."""
    return "; ".join(part.format(**values) for part, values in _parts(run, said, False))


def _never_more(run: Run, expected: WaitEstimate) -> WaitEstimate:
    """Return an estimate in which people who were there before this run are ahead of it only if they were before.

    Their runs may end sooner than expected, or this run's owner's later, and so their turn may come first after all.
    """
    memory: Memory = current_app.extensions["waits"]
    if len(memory.people) >= MOST_REMEMBERED:
        memory.people.clear()
    earlier = expected.people - expected.came_later
    fewest = memory.people[run.id] = min(earlier, memory.people.get(run.id, earlier))
    return replace(expected, people=fewest + expected.came_later)


def _parts(run: Run, said: Wait, in_html: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the parts of the sentence, each with the values to put into it."""
    values = {**said.values, "attempt": attempt(run)}
    if "run" in values:
        values["run"] = _linked(values["run"], in_html)
    for name in ("at", "since"):
        if name in values:
            values[name] = _moment(values[name], said.code is Code.RETRY, in_html)
    match said.code:
        case Code.POSITION:
            yield from _position(values)
        case Code.PAUSED:
            yield messages.PAUSED[values["kind"]] + (messages.BECAUSE if values["because"] else "."), values
        case _:
            yield messages.WAITS[said.code], values


def _linked(run_id: int | None, in_html: bool) -> str:
    """Return the words for one of the owner's runs, or for another user's, whose id is not told."""
    if run_id is None:
        return messages.ANOTHERS_RUN
    return LINK.format(address("runs.show", run_id=run_id), f"run {run_id}") if in_html else f"run {run_id}"


def _position(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    position, people, later, seconds = (values[name] for name in ("position", "people", "came_later", "seconds"))
    if position > 1 or people:
        yield messages.POSITION if position <= MOST_AHEAD else messages.FAR_BACK, {"nth": _ordinal(position)}
    else:
        yield messages.NEXT, {}
    if people:
        yield messages.ONE_PERSON if people == 1 else messages.PEOPLE, {"people": people}
    if later:
        yield messages.ONE_CAME_LATER if later == 1 else messages.CAME_LATER, {"later": later}
    for run_id in values["overtaken_by"][:1]:
        yield messages.OVERTAKEN, {"run": run_id}
    if seconds is None:
        yield messages.UNKNOWN_START, {}
    elif seconds.most:
        yield _start(seconds, values["more"])


def _start(seconds: Interval, more: bool) -> tuple[str, Mapping[str, Any]]:
    least, most = roughly(seconds.least), roughly(seconds.most)
    if more:
        return messages.STARTS_AFTER, {"least": least}
    if least == most:
        return messages.STARTS_IN, {"most": most}
    number, unit = least.split()
    least = number if unit == most.split()[1] else least
    return messages.STARTS_BETWEEN if seconds.least >= 1 else messages.STARTS_WITHIN, {"least": least, "most": most}


def _moment(moment: datetime, is_soon: bool, in_html: bool) -> str:
    text = f"at {time_of_day(moment)}" if is_soon else clock(moment)
    return (SOON if is_soon else LATER).format(moment.isoformat(), text) if in_html else text


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{suffix}"
