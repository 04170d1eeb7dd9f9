"""The tables of webhooks: the addresses that are told when runs end, and each message to one of them."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs.people import owner_key
from jobs.runs.run import RunId, run_key
from jobs.storage.database import Base, UtcDateTime, utcnow

LONGEST_URL = 2000


class Reason(StrEnum):
    """The reason why a webhook was disabled."""

    GONE = "gone"
    FAILING = "failing"
    ACCOUNT = "account"


class Webhook(Base):
    """An address that is told when its owner's runs end; with `run_id`, when that run ends.

    `encrypted_secrets` holds the secret that signs messages and, for a day after `rotated_at`, the one before it. Every
    message has failed since `failing_since`. A disabled webhook is told nothing.
    """

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_owner", "owner_id", "run_id"), Index("ix_webhooks_run", "run_id"))

    id: Mapped[int] = mapped_column(RunId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("webhooks"))
    run_id: Mapped[int | None] = mapped_column(run_key("webhooks"))
    url: Mapped[str] = mapped_column(String(LONGEST_URL))
    encrypted_secrets: Mapped[str] = mapped_column(Text)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_because: Mapped[str | None] = mapped_column(String(20))


class Delivery(Base):
    """A message to a webhook: that a run had ended as `event` says, at its version.

    `due_at` is when it may be sent; while a sender tries, that is the end of the sender's lease. It is None once the
    message was delivered or given up. `tries` counts every try that may have happened. `status` and `problem` are of
    the last one.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_due", "due_at"),
        Index("ix_deliveries_webhook", "webhook_id", "id"),
        Index("ix_deliveries_created", "created_at"),
    )

    id: Mapped[int] = mapped_column(RunId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", name="fk_deliveries_webhook", ondelete="CASCADE"))
    owner_id: Mapped[int]
    message_id: Mapped[str] = mapped_column(String(40))
    run_id: Mapped[int] = mapped_column(RunId)
    task: Mapped[str] = mapped_column(String(100))
    event: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    attempt: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[int | None]
    problem: Mapped[str | None] = mapped_column(String(200))
