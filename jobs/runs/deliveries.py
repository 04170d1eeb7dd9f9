"""Messages to webhooks: each is a row, committed with the end of the run that it is about, and claimed by a sender.

A sender claims a message with one conditional UPDATE and holds it for the length of a lease. If it is killed, the
message becomes due again and is sent once more with the same id, by which a receiver knows it.
"""

import json
import random
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from config import Settings
from jobs.runs.run import LARGEST_ID, Run
from jobs.runs.webhook import Delivery, Reason, Webhook
from jobs.storage.database import Database, utcnow

# The schedule that Standard Webhooks recommends, in seconds after each failure: about three days in all.
SCHEDULE = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
JITTER = 0.1
LONGEST_WAIT_SECONDS = 24 * 3600
FAILING = timedelta(days=3)
KEPT = timedelta(days=30)
FORGOTTEN_AT_ONCE = 500
GONE_STATUS = 410
CANDIDATES = 5

RUNS, WEBHOOKS, DELIVERIES = (cast(Table, model.__table__) for model in (Run, Webhook, Delivery))
R, W, D = RUNS.c, WEBHOOKS.c, DELIVERIES.c

# Locked, so that a webhook that is being deleted cannot make the end of a run fail.
TOLD = (
    select(W.id, R.owner_id, R.task, R.state, R.attempt)
    .join_from(RUNS, WEBHOOKS, or_((W.owner_id == R.owner_id) & W.run_id.is_(None), W.run_id == R.id))
    .where(R.id == bindparam("run"), W.disabled_at.is_(None))
    .with_for_update(read=True, key_share=True, of=WEBHOOKS)
)
NOTE = insert(DELIVERIES)


@dataclass(frozen=True)
class Answer:
    """The outcome of a try: the receiver's status, or the problem, and the delay in seconds that it asks for."""

    status: int | None = None
    problem: str | None = None
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Claimed:
    """A message that a sender holds, and the webhook to send it to."""

    delivery: Delivery
    webhook: Webhook


def note(connection: Connection, run_id: int, version: int) -> None:
    """Note what webhooks are to be told of a run that this transaction ends."""
    now = utcnow()
    rows = connection.execute(TOLD, {"run": run_id}).all()
    messages = [
        {
            "webhook_id": webhook_id,
            "owner_id": owner_id,
            "message_id": f"msg_{secrets.token_hex(16)}",
            "run_id": run_id,
            "task": task,
            "event": f"run.{state}",
            "version": version,
            "attempt": attempt,
            "created_at": now,
            "due_at": now,
            "tries": 0,
        }
        for webhook_id, owner_id, task, state, attempt in rows
    ]
    if messages:
        connection.execute(NOTE, messages)


def body(delivery: Delivery, settings: Settings) -> bytes:
    """Return the message: what happened, and where to read the run. It is the same at every try."""
    base = settings.public_url + settings.url_prefix
    data = {
        "id": delivery.run_id,
        "task": delivery.task,
        "state": delivery.event.removeprefix("run."),
        "version": delivery.version,
        "attempt": delivery.attempt,
        "url": f"{base}/api/v1/runs/{delivery.run_id}",
        "page": f"{base}/runs/{delivery.run_id}",
    }
    message = {"type": delivery.event, "timestamp": delivery.created_at.isoformat(), "data": data}
    return json.dumps(message, separators=(",", ":")).encode()


def are_due(database: Database) -> bool:
    with database.read() as session:
        return session.scalar(select(Delivery.id).where(Delivery.due_at <= utcnow()).limit(1)) is not None


def claim(
    database: Database, seconds: float, busy_owners: Collection[int] = (), busy_webhooks: Collection[int] = ()
) -> Claimed | None:
    """Claim the message that has been due longest, for so many seconds. Return None if none is due.

    Those of busy owners and webhooks are left.
    """
    now = utcnow()
    free = D.owner_id.not_in(busy_owners) & D.webhook_id.not_in(busy_webhooks)
    oldest = select(D.id, D.tries).where(D.due_at <= now, free).order_by(D.due_at).limit(CANDIDATES)
    with database.read() as session:
        candidates = session.execute(oldest).all()
    for delivery_id, tries in candidates:
        mine = (Delivery.id == delivery_id) & (Delivery.tries == tries) & (Delivery.due_at <= now)
        values = {"tries": tries + 1, "tried_at": now, "due_at": now + timedelta(seconds=seconds)}
        with database.write() as session:
            delivery = session.scalar(update(Delivery).where(mine).values(values).returning(Delivery))
            if delivery and (webhook := session.get(Webhook, delivery.webhook_id)):
                return Claimed(delivery, webhook)
    return None


def record(database: Database, claimed: Claimed, answer: Answer) -> bool:
    """Record what a try has led to and when the next one is due; return False if the message is not held any more.

    A webhook that answers 410, or all of whose messages have failed for three days, is disabled.
    """
    now, tries = utcnow(), claimed.delivery.tries
    held = (Delivery.id == claimed.delivery.id) & (Delivery.tries == tries) & Delivery.due_at.is_not(None)
    values: dict[str, Any] = {"status": answer.status, "problem": answer.problem}
    if answer.is_success:
        values |= {"delivered_at": now, "due_at": None}
    else:
        values |= {"due_at": _next_try(now, tries, answer)}
    with database.write() as session:
        # The webhook is locked first, as by those who delete it.
        webhook = session.get(Webhook, claimed.webhook.id, with_for_update=True)
        if webhook is None or session.scalar(update(Delivery).where(held).values(values).returning(D.id)) is None:
            return False
        webhook.failing_since = None if answer.is_success else webhook.failing_since or now
        if answer.status == GONE_STATUS:
            disable(session, webhook, Reason.GONE)
        elif webhook.failing_since and now - webhook.failing_since >= FAILING:
            disable(session, webhook, Reason.FAILING)
    return True


def disable(session: Session, webhook: Webhook, reason: Reason) -> None:
    """Disable a webhook and give up its messages. The first reason stays."""
    if webhook.disabled_at is None:
        webhook.disabled_at, webhook.disabled_because = utcnow(), reason
    waiting = (Delivery.webhook_id == webhook.id) & Delivery.due_at.is_not(None)
    session.execute(update(Delivery).where(waiting).values(due_at=None))


def disable_all_of(session: Session, owner_id: int) -> None:
    """Disable the webhooks of an account that has been disabled."""
    active = (Webhook.owner_id == owner_id) & Webhook.disabled_at.is_(None)
    session.execute(update(Webhook).where(active).values(disabled_at=utcnow(), disabled_because=Reason.ACCOUNT))
    waiting = (Delivery.owner_id == owner_id) & Delivery.due_at.is_not(None)
    session.execute(update(Delivery).where(waiting).values(due_at=None))


def listed(database: Database, webhook_id: int, before: int | None, limit: int) -> Sequence[Delivery]:
    """Return a webhook's messages, newest first, older than the message `before`."""
    query = select(Delivery).where(Delivery.webhook_id == webhook_id)
    if before is not None:
        query = query.where(Delivery.id < before)
    with database.read() as session:
        return session.scalars(query.order_by(Delivery.id.desc()).limit(limit)).all()


def send_again(database: Database, webhook: Webhook, delivery_id: int) -> bool:
    """Note that a message is to be sent once more, with the same id; return False if the webhook has no such message.

    A message that is waiting is sent anyway.
    """
    with database.write() as session:
        session.get(Webhook, webhook.id, with_for_update=True)
        sent = session.get(Delivery, min(delivery_id, LARGEST_ID))
        if sent is None or sent.webhook_id != webhook.id:
            return False
        same = select(Delivery.id).where(
            Delivery.webhook_id == webhook.id, Delivery.message_id == sent.message_id, Delivery.due_at.is_not(None)
        )
        if session.scalar(same.limit(1)) is None:
            kept = ("webhook_id", "owner_id", "message_id", "run_id", "task", "event", "version", "attempt")
            again = {name: getattr(sent, name) for name in (*kept, "created_at")}
            session.add(Delivery(**again, due_at=utcnow()))
    return True


def forget(database: Database) -> None:
    """Delete messages that are older than KEPT, some at a time."""
    old = select(D.id).where(D.created_at < utcnow() - KEPT, D.due_at.is_(None)).limit(FORGOTTEN_AT_ONCE)
    with database.change() as connection:
        connection.execute(delete(DELIVERIES).where(D.id.in_(old)))


def _next_try(now: datetime, tries: int, answer: Answer) -> datetime | None:
    """Return when a message that has failed is due again, or None if it is given up."""
    if tries > len(SCHEDULE):
        return None
    seconds = SCHEDULE[tries - 1] * random.uniform(1, 1 + JITTER)
    asked = min(answer.retry_after or 0.0, LONGEST_WAIT_SECONDS)
    return now + timedelta(seconds=max(seconds, asked))
