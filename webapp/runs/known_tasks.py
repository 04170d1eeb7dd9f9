"""Titles and fields of tasks, also of those that exist no more, which were recorded when they were submitted."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Flask, current_app
from pydantic import BaseModel

from jobs.authoring import Task
from jobs.runs import Asked, Submitted, TaskRecord, record_task, recorded_task, submit_once, tasks_of
from jobs.values import label_of
from webapp import rights
from webapp.current import backend
from webapp.forms import Field, fields_in, fields_of, schema_of

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 60.0
MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class KnownTask:
    """The title of a task and the fields of its form by name."""

    title: str
    fields: Mapping[str, Field] = field(default_factory=dict)


@dataclass
class Memory:
    """The tasks that this process has recorded, and the records that it has read, with the time of reading."""

    recorded: dict[str, Task] = field(default_factory=dict)
    read: dict[str, tuple[float, KnownTask]] = field(default_factory=dict)


def init_app(app: Flask) -> None:
    app.extensions["known_tasks"] = Memory()


def submit_recorded(task: Task, owner_id: int, parameters: BaseModel, asked: Asked | None = None) -> Submitted:
    """Submit a run as `jobs.runs.submit_once` does, with a record of its task, so that it outlives the task's code."""
    record(task)
    return submit_once(backend(), task, owner_id, parameters, asked or Asked())


def record(task: Task) -> None:
    """Record a task that is about to be submitted, once in each process."""
    recorded = _memory().recorded
    if recorded.get(task.name) is not task:
        record_task(backend().database, task.name, TaskRecord(task.title, schema_of(task.parameters)))
        recorded[task.name] = task


def exists(name: str) -> bool:
    """Return whether a task exists, as far as this process knows."""
    return name in backend().catalog


def known_task(name: str) -> KnownTask:
    """Return what is known about a task; of one that exists no more, its record, or else its name as a title."""
    task = backend().catalog.get(name)
    if task:
        return KnownTask(task.title, {one.name: one for one in fields_of(task)})
    read = _memory().read
    at, known = read.get(name, (-LOOK_AGAIN_SECONDS, KnownTask("")))
    if time.monotonic() - at >= LOOK_AGAIN_SECONDS:
        if len(read) >= MOST_REMEMBERED:
            read.clear()
        known = _read(name)
        read[name] = time.monotonic(), known
    return known


def past_tasks(owner_id: int) -> dict[str, str]:
    """Return the titles, by name, of the tasks that an owner has runs of and does not see, as if they were no more."""
    seen = rights.visible()
    titles = {name: known_task(name).title for name in tasks_of(backend().database, owner_id) if name not in seen}
    return dict(sorted(titles.items(), key=lambda item: item[1].casefold()))


def _read(name: str) -> KnownTask:
    record = recorded_task(backend().database, name)
    if record is None:
        return KnownTask(label_of(name))
    try:
        return KnownTask(record.title, {one.name: one for one in fields_in(record.parameters)})
    except Exception:  # the record was made by another version of the application
        log.warning("the record of task %s cannot be read; its parameters are shown by name", name, exc_info=True)
        return KnownTask(record.title)


def _memory() -> Memory:
    memory: Memory = current_app.extensions["known_tasks"]
    return memory
