"""Submit, cancel and retry runs. Each function commits the row before it publishes an event or pushes a job."""

import contextlib
import logging
from typing import Any

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.authoring.parameters import Unstorable, load, stored
from jobs.authoring.secret_parameters import reopened
from jobs.authoring.task import Task, TaskError
from jobs.runs import (
    caps,
    events,
    file_ownership,
    idempotency,
    lease,
    limits,
    queue,
    rights,
    run_text,
    same,
    turns,
    webhooks,
)
from jobs.runs.asked import NOTHING_MORE, After, Asked, NoSuchRun, OtherOption, still_to_come
from jobs.runs.backend import Backend
from jobs.runs.caps import TooManyRuns
from jobs.runs.idempotency import IdempotencyKey, Reused
from jobs.runs.lease import Change
from jobs.runs.pushing import push
from jobs.runs.rights import NotAllowed
from jobs.runs.run import NEVER, Run, State, owned
from jobs.runs.same import Existing, Submitted
from jobs.runs.webhook import Webhook

log = logging.getLogger(__name__)

NO_WORKER = "No worker has this task any more, so it cannot run again."
UNIQUE = "Another run with these parameters is waiting or running. Wait until it ends, or cancel it."
NOT_ALLOWED = "You may not run this task any more. Ask an administrator if you need it."


class Conflict(Exception):
    """An action that the run's state does not allow; the message is shown to its owner."""


def submit(backend: Backend, task: Task, owner_id: int, parameters: BaseModel, asked: Asked = NOTHING_MORE) -> Run:
    """Submit a run as `submit_once` does, and return the one to show, new or not."""
    return submit_once(backend, task, owner_id, parameters, asked).run


def submit_once(
    backend: Backend, task: Task, owner_id: int, parameters: BaseModel, asked: Asked = NOTHING_MORE
) -> Submitted:
    """Store a new run with its files attached and its parameters encrypted if they hold secrets, and return it.

    There is no new one if the owner has used the key before, or if another run does for it (jobs.runs.same).

    On return the run is committed, and it will start even if Redis is unavailable now. Raises NotAllowed, TooManyRuns,
    NotKept if the owner does not have one of its files or no longer has it, RefusedReceiver if the webhook's address
    may not be used, TooFar if the run is to start in more than a year, and NoSuchRun if the owner has not the run that
    it is to follow. For one that takes the other's result, the task lacks that parameter
    (jobs.authoring.partial_parameters). Raises Reused if the key was used for another task or other parameters, and
    OtherOption if it was used with another option. Raises TaskError if the task's validators change a value that they
    have accepted: the worker validates the stored value again.
    """
    if run := _with_key(backend, owner_id, asked.key):
        return Submitted(_same(backend, run, task, parameters, asked), Existing.KEY)
    try:
        return _submit(backend, task, owner_id, parameters, asked)
    except (IntegrityError, TooManyRuns):  # another request with this key came first, perhaps as the last one allowed
        if run := _with_key(backend, owner_id, asked.key):
            return Submitted(_same(backend, run, task, parameters, asked), Existing.KEY)
        raise


def _submit(backend: Backend, task: Task, owner_id: int, parameters: BaseModel, asked: Asked) -> Submitted:
    try:
        shown, whole, secrets = stored(parameters)
    except Unstorable:
        # The reason may show a secret.
        message = "its validators must return accepted values unchanged"
        raise TaskError(f"{task.source}: task {task.name!r}: {message}") from None
    encrypted = backend.vault.seal_parameters(owner_id, whole, secrets) if secrets else None

    def made() -> Run:
        run = Run(task=task.name, owner_id=owner_id, parameters=shown, encrypted_parameters=encrypted)
        if asked.after is None or asked.after.into is None:
            same.mark(run, task, parameters)
        return run

    try:
        return _accept(backend, task, made(), asked)
    except IntegrityError:  # the same run was submitted a moment ago, or the one that was in the way has just ended
        return _accept(backend, task, made(), asked)


def cancel(backend: Backend, owner_id: int, run_id: int) -> None:
    """Cancel a queued run at once, or ask a running one to stop. Repeating the request has no effect.

    Raises Conflict if the run has already succeeded or failed.
    """
    if change := lease.cancel(backend.database, run_id, owner_id):
        events.publish(backend.redis, change)
    elif change := lease.request_stop(backend.database, run_id, owner_id):
        events.publish(backend.redis, change)
        _wake_its_worker(backend, owner_id, run_id)
    elif (run := _read(backend, owner_id, run_id)) and run.state.ended and run.state is not State.CANCELLED:
        raise Conflict("This run has already ended.")
    elif run and run.state is State.QUEUED:  # it was requeued between the two statements
        cancel(backend, owner_id, run_id)


def retry(backend: Backend, owner_id: int, run: Run) -> Run:
    """Run a run again and return the run to show.

    A run that succeeded keeps its result, and a new run is created. A run that failed or was cancelled is queued for
    its next attempt. Raises Conflict if the run has not ended, or if its task exists no more or its owner may not run
    it any more, and TooManyRuns.
    """
    task = backend.catalog.get(run.task)
    if task is None:
        raise Conflict(NO_WORKER)
    try:
        return _again(backend, task, owner_id, run)
    except NotAllowed:
        raise Conflict(NOT_ALLOWED) from None


def _again(backend: Backend, task: Task, owner_id: int, run: Run) -> Run:
    if run.state is State.SUCCEEDED:
        again = Run(task=run.task, owner_id=owner_id, parameters=run.parameters)
        again.encrypted_parameters = _encrypted(backend, run)
        with contextlib.suppress(ValidationError):
            same.mark(again, task, load(task.parameters, _whole(backend, run)))
        return _accept(backend, task, again, Asked(anyway=True)).run
    try:
        with backend.database.write() as session:
            rights.require(session, owner_id, task)
            if run.state.ended:
                caps.admit(session, backend.settings, owner_id)
            change = lease.requeue_in(session, run.id, owner_id)
    except IntegrityError:
        raise Conflict(UNIQUE) from None
    if change is None:
        raise Conflict("This run has not ended yet. Wait until it ends, or stop it.")
    requeued = _read(backend, owner_id, run.id)
    assert requeued is not None
    _wake(backend, requeued, change)
    return requeued


def given_parameters(backend: Backend, run: Run) -> dict[str, Any]:
    """Return the parameters that a run was given, for a form, with a SecretStr in the place of each secret.

    The SecretStr is empty if no key decrypts the parameters any more.
    """
    encrypted = _encrypted(backend, run)
    if encrypted is None:
        return dict(run.parameters)
    whole, _secrets = backend.vault.unseal_parameters(run.owner_id, encrypted) or (None, ())
    parameters: dict[str, Any] = reopened(run.parameters, whole)
    return parameters


def _wake_its_worker(backend: Backend, owner_id: int, run_id: int) -> None:
    run = _read(backend, owner_id, run_id)
    if run is None or run.worker is None:
        return
    try:
        queue.wake(backend.redis, run.worker)
    except RedisError as error:
        log.warning("could not notify the worker to stop run %d (%s); it will read the row instead", run_id, error)


def _read(backend: Backend, owner_id: int, run_id: int) -> Run | None:
    with backend.database.read() as session:
        return owned(session, owner_id, run_id)


def _encrypted(backend: Backend, run: Run) -> str | None:
    with backend.database.read() as session:
        return session.scalar(select(Run.encrypted_parameters).where(Run.id == run.id))


def _with_key(backend: Backend, owner_id: int, key: str | None) -> Run | None:
    if key is None:
        return None
    with backend.database.read() as session:
        return idempotency.run_with(session, owner_id, key)


def _same(backend: Backend, run: Run, task: Task, parameters: BaseModel, asked: Asked) -> Run:
    """Return the run if it has these parameters and these options. Raises Reused and OtherOption.

    Values are compared, not their JSON, in which a set has no order. A run whose parameters the task no longer reads
    cannot be compared, and the same submission must not run twice.
    """
    if run.task != task.name:
        raise Reused(None)
    fields = type(parameters).model_fields
    compared = [name for name, field in fields.items() if name in asked.given or field.default_factory is None]
    with contextlib.suppress(ValidationError):
        whole = _whole(backend, run)
        before = load(type(parameters), {name: whole[name] for name in whole if name != run.after_into})
        differing = [name for name in compared if getattr(before, name) != getattr(parameters, name)]
        if differing:
            raise Reused(min(differing))
    if webhooks.url_for_run(backend.database, run.id) != (asked.webhook and asked.webhook.url):
        raise OtherOption("Webhook-URL")
    if not _has_options(run, asked):
        raise OtherOption("due_at or after")
    return run


def _has_options(run: Run, asked: Asked) -> bool:
    after = None if run.after_id is None else After(run.after_id, run.after_into)
    return (run.scheduled_for, after) == (asked.due_at, asked.after)


def _whole(backend: Backend, run: Run) -> dict[str, Any]:
    """Return a run's parameters with its secrets in clear; with marks in their place if no key decrypts them."""
    encrypted = _encrypted(backend, run)
    whole, _secrets = (encrypted and backend.vault.unseal_parameters(run.owner_id, encrypted)) or (None, ())
    return run.parameters if whole is None else whole


def _accept(backend: Backend, task: Task, run: Run, asked: Asked) -> Submitted:
    run.limit_key = limits.key_of(task, run.owner_id, run.parameters)
    hook = asked.webhook
    webhook = webhooks.sealed_webhook(backend, run.owner_id, hook.url, hook.secret) if hook else None
    run.scheduled_for, run.due_at = asked.due_at, still_to_come(asked.due_at)
    with backend.database.write() as session:
        if asked.after:
            _follow(session, run, asked.after)
        rights.require(session, run.owner_id, task)
        if other := same.found(session, task, run, asked.anyway):
            _lead_to(session, other.run, asked, webhook)
            return other
        caps.admit(session, backend.settings, run.owner_id, run)
        session.add(run)
        file_ownership.attach(session, run)
        session.flush()
        run_text.add(session, run)
        if webhook:
            webhook.run_id = run.id
            session.add(webhook)
        if asked.key is not None:
            session.add(IdempotencyKey(owner_id=run.owner_id, key=asked.key, run_id=run.id))
        if run.due_at is None:
            turns.join(session, [(run.owner_id, run.id)])
    change = Change(run.id, run.owner_id, run.version)
    if run.due_at is None:
        _wake(backend, run, change)
    else:  # the sweeper wakes a worker once the run is due
        events.publish(backend.redis, change)
    return Submitted(run)


def _lead_to(session: Session, run: Run, asked: Asked, webhook: Webhook | None) -> None:
    """Give a run that was there before what a submission asks for that has led to it."""
    if webhook and not run.state.ended:
        webhook.run_id = run.id
        session.add(webhook)
    if asked.key is not None and not webhook and _has_options(run, asked):
        session.add(IdempotencyKey(owner_id=run.owner_id, key=asked.key, run_id=run.id))


def _follow(session: Session, run: Run, after: After) -> None:
    if owned(session, run.owner_id, after.run_id) is None:
        raise NoSuchRun
    run.after_id, run.after_into, run.awaited_id, run.due_at = after.run_id, after.into, after.run_id, NEVER


def _wake(backend: Backend, run: Run, change: Change) -> None:
    if push(backend, run):
        events.publish(backend.redis, change)
