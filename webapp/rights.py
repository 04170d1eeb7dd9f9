"""The rights of the person behind a request, and of a run's owner, read once for each request or push."""

from dataclasses import replace

from flask import Flask, g
from flask_login import current_user

from jobs.authoring import Task
from jobs.runs import LARGEST_ID, Access, Linked, NotAllowed, Rights, Run, presets, rights, submission
from webapp.current import backend
from webapp.rendering.failures import may_see_code

Tasks = dict[str, Task]
MARK_LENGTH = rights.MARK_LENGTH


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(sees_task=sees_task, rerun_refusal=rerun_refusal)
    app.jinja_env.globals.update(rights_mark=mark, changes_preset=changes_preset)


def mine() -> Rights:
    """Return the rights of the person who is signed in, or whose token is sent."""
    return of(current_user.id)


def access(run_id: int) -> Access | None:
    """Return what whoever asks sees of a run, or None if it is to them as if it did not exist.

    Beneath the address of a link, that is what the link shows, to its owner too.
    """
    link: Linked | None = g.get("link")
    if link:
        return link.access if link.run_id == run_id else None
    with backend().database.read() as session:
        found = rights.access_to_runs(session, current_user.id, [min(run_id, LARGEST_ID)]).get(run_id)
    if found is None or found.owns:
        return found
    task = backend().catalog.get(found.task)
    return replace(found, reruns=found.parameters and task is not None and mine().runs(task))


def use_link(secret: str) -> Linked | None:
    """Give the rest of the request the access of the link with this secret. Return it, or None if it doesn't work."""
    with backend().database.read() as session:
        reader = current_user.id if current_user.is_authenticated else None
        link = rights.access_by_link(session, backend().settings, secret, reader)
    g.link, g.link_secret = link, secret
    return link


def sees_code() -> bool:
    """Return whether whoever asks may see tracebacks, which nobody does by a link."""
    return not g.get("link") and may_see_code(current_user)


def of(person_id: int) -> Rights:
    """Return a person's rights, for decisions about all tasks."""
    known: dict[int, Rights] = g.setdefault("rights", {})
    if person_id not in known:
        with backend().database.read() as session:
            known[person_id] = rights.of(session, person_id, backend().catalog.keys())
    return known[person_id]


def visible() -> Tasks:
    """Return the tasks that the person sees, by name."""
    return {name: task for name, task in backend().catalog.items() if mine().sees(task)}


def runnable(person_id: int) -> Tasks:
    """Return the tasks that a person may run, by name."""
    return {name: task for name, task in backend().catalog.items() if of(person_id).runs(task)}


def require(task: Task) -> None:
    """Raise NotAllowed unless the person may run a task."""
    if not mine().runs(task):
        raise NotAllowed(mine().sees(task))


def changes_preset(preset: presets.Preset) -> bool:
    """Return whether the person changes and deletes a preset."""
    return mine().changes_preset(preset.owner_id, preset.is_shared)


def mark() -> str:
    """Return what a page shows of the rights that it was made with, so that it is loaded again when they change."""
    return mine().mark(backend().catalog.values())


def sees_task(run: Run) -> bool:
    """Return whether a run's task exists and the run's owner sees it."""
    task = backend().catalog.get(run.task)
    return task is not None and of(run.owner_id).sees(task)


def rerun_refusal(run: Run) -> str:
    """Return why a run's owner cannot run its task again, or an empty string."""
    task = backend().catalog.get(run.task)
    if task is None:
        return submission.NO_WORKER
    return "" if of(run.owner_id).runs(task) else submission.NOT_ALLOWED
