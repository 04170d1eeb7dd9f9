"""The time for which a run is kept, by the rules of retention, which this process reads again now and then."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Flask, current_app

from jobs.runs import RetentionRule, Run, retention
from webapp.current import backend

LOOK_AGAIN_SECONDS = 10.0


@dataclass
class Memory:
    rules: Sequence[RetentionRule] = ()
    read_at: float = -LOOK_AGAIN_SECONDS


@dataclass(frozen=True)
class Keeping:
    """Until when a run is kept, if that is known, and the rules that may delete it earlier. A starred run stays."""

    until: datetime | None
    starred: bool
    most_runs: int | None
    most_megabytes: int | None


def init_app(app: Flask) -> None:
    app.extensions["keeping"] = Memory()
    app.jinja_env.filters.update(keeping=keeping)


def keeping(run: Run) -> Keeping | None:
    """Return how long an ended run is kept, or None if no rule is about it."""
    about = [rule for rule in _rules() if rule.is_about(run.task, run.state)]
    if not about:
        return None
    most_runs = min((rule.runs for rule in about if rule.runs), default=None)
    most_megabytes = min((rule.megabytes for rule in about if rule.megabytes), default=None)
    return Keeping(retention.deletion_due(about, run), run.starred, most_runs, most_megabytes)


def _rules() -> Sequence[RetentionRule]:
    memory: Memory = current_app.extensions["keeping"]
    if time.monotonic() - memory.read_at >= LOOK_AGAIN_SECONDS:
        memory.rules, memory.read_at = retention.rules(backend().database), time.monotonic()
    return memory.rules
