"""Predicted starts, kept to be compared with the real ones.

Each sweep keeps the estimates of some runs that wait, as pages show them at that moment. A run that starts before the
next sweep has hardly waited, and says little about estimates.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import case, delete, func, insert, literal_column, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.run import Run, run_key
from jobs.runs.wait_estimate import wait_estimates
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

AT_ONCE = 20
KEPT = 2000
COMPARED = 1000


class Prediction(Base):
    """The moments between which a run that waits was expected to start."""

    __tablename__ = "predictions"

    run_id: Mapped[int] = mapped_column(run_key("predictions"), primary_key=True, autoincrement=False)
    earliest: Mapped[datetime] = mapped_column(UtcDateTime)
    latest: Mapped[datetime] = mapped_column(UtcDateTime)


KNOWN = select(Prediction.run_id)
TOO_OLD = KNOWN.order_by(Prediction.run_id.desc()).offset(KEPT).limit(1).scalar_subquery()
# Not those that are deleted meanwhile.
LOCKED = select(Run.id).with_for_update(key_share=True, read=True)
NEWEST = (
    select(Run)
    .where(Run.state == literal_column("'queued'", Run.state.type), Run.due_at.is_(None))
    .order_by(Run.state.desc(), Run.due_at.desc(), Run.queued_at.desc(), Run.id.desc())
    .limit(AT_ONCE)
)


class HitRate(NamedTuple):
    """The number of the latest runs with a prediction that have started, and of those that started within it."""

    started: int
    within: int


def note(database: Database) -> None:
    """Keep predictions for the newest runs that wait and have none, and forget old ones."""
    with database.read() as session:
        runs = session.scalars(NEWEST).all()
        known = set(session.scalars(KNOWN.where(Prediction.run_id.in_([run.id for run in runs]))))
    now, new = utcnow(), [run for run in runs if run.id not in known and run.attempt == 1]
    rows = [
        {"run_id": run_id, "earliest": now + timedelta(0, found.least), "latest": now + timedelta(0, found.most)}
        for run_id, one in wait_estimates(database, new).items()
        if (found := one.seconds) and found.most
    ]
    if rows:
        with database.write() as session:
            there = set(session.scalars(LOCKED.where(Run.id.in_([row["run_id"] for row in rows]))))
            session.execute(insert(Prediction), [row for row in rows if row["run_id"] in there])
            session.execute(delete(Prediction).where(Prediction.run_id <= TOO_OLD))


def hit_rate(session: Session) -> HitRate:
    """Return how many of the latest predictions have come true. Runs that were tried again are left out."""
    within = case((Run.started_at.between(Prediction.earliest, Prediction.latest), 1), else_=0).label("within")
    started = select(within).join(Prediction, Prediction.run_id == Run.id)
    latest = started.where(Run.attempt == 1, Run.started_at.is_not(None)).order_by(Prediction.run_id.desc())
    few = latest.limit(COMPARED).subquery()
    count, hits = session.execute(select(func.count(), func.coalesce(func.sum(few.c.within), 0))).one()
    return HitRate(count, hits)
