"""Retention: rules by which runs are deleted that have ended, and which runs they leave alone.

Nothing is deleted without a rule, which administrators make. A run is deleted if any rule says so, unless it is exempt.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit, shares, usage
from jobs.runs.file_ownership import used_bytes
from jobs.runs.run import Run, State
from jobs.runs.selection import is_postgres, newest_first
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

MB = 1_000_000
MOST_RULES = 100
LARGEST = 1_000_000


class RetentionRule(Base):
    """A rule about ended runs, of a task or of all, and in a state or in any.

    It deletes runs that ended more than `days` ago, all but the newest `runs` of each user, and a user's oldest ones
    while their runs and files together take more than `megabytes`. A limit that is None does not hold.
    """

    __tablename__ = "retention_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str | None] = mapped_column(String(16))
    days: Mapped[int | None]
    runs: Mapped[int | None]
    megabytes: Mapped[int | None]
    made_by: Mapped[str] = mapped_column(String(254))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    def is_about(self, task: str, state: State) -> bool:
        """Return whether the rule holds for ended runs of a task in a state."""
        return state.ended and self.task in (None, task) and self.state in (None, state.value)

    @property
    def values(self) -> dict[str, Any]:
        """The rule as the audit log shows it."""
        named = {name: getattr(self, name) for name in ("task", "state", "days", "runs", "megabytes")}
        return {name: value for name, value in named.items() if value is not None}


def rules(database: Database) -> Sequence[RetentionRule]:
    """Return all rules, in the order in which they were made."""
    with database.read() as session:
        return session.scalars(select(RetentionRule).order_by(RetentionRule.id).limit(MOST_RULES)).all()


def add_rule(database: Database, rule: RetentionRule) -> None:
    with database.write() as session:
        session.add(rule)
        session.flush()
        audit.note(session, "retention rule created", f"rule {rule.id}", after=rule.values)


def delete_rule(database: Database, rule_id: int) -> None:
    """Delete a rule; do nothing if it is gone."""
    with database.write() as session:
        if rule := session.get(RetentionRule, rule_id):
            audit.note(
                session, "retention rule deleted", f"rule {rule_id}", before=rule.values, after={"deleted": True}
            )
            session.execute(delete(RetentionRule).where(RetentionRule.id == rule_id))


def exempt(session: Session, run_ids: Collection[int]) -> set[int]:
    """Return those of some runs that stay whatever the rules say: starred and shared ones."""
    return set(session.scalars(select(Run.id).where(Run.id.in_(run_ids), or_(Run.starred, shares.is_shared()))))


def deletion_due(rules: Sequence[RetentionRule], run: Run) -> datetime | None:
    """Return when a run is due to be deleted by its age, or None if it is not."""
    return min(
        (
            run.ended_at + timedelta(days=rule.days)
            for rule in rules
            if run.ended_at and rule.days and rule.is_about(run.task, run.state)
        ),
        default=None,
    )


@dataclass
class Judge:
    """Decides which runs the rules delete. Runs must be shown to it from the oldest on, once each."""

    rules: Sequence[RetentionRule]
    now: datetime = field(default_factory=utcnow)
    _newest: dict[tuple[int, int], int] = field(default_factory=dict)
    _left: dict[int, int] = field(default_factory=dict)

    def deletes(self, session: Session, run: Any) -> bool:
        """Return whether a rule deletes a run, exempt or not."""
        if run.owner_id not in self._left:  # before any of the owner's runs goes
            self._left[run.owner_id] = self._taken(session, run.owner_id)
        return any(
            rule.is_about(run.task, run.state)
            and (self._is_old(rule, run) or self._is_beyond(session, rule, run) or self._is_excess(rule, run))
            for rule in self.rules
        )

    def freed(self, owner_id: int, size: int) -> None:
        """Note that a run of so many bytes goes."""
        self._left[owner_id] -= size

    def _is_old(self, rule: RetentionRule, run: Any) -> bool:
        return bool(rule.days and run.ended_at and run.ended_at < self.now - timedelta(days=rule.days))

    def _is_beyond(self, session: Session, rule: RetentionRule, run: Any) -> bool:
        if rule.runs is None:
            return False
        key = run.owner_id, id(rule)
        if key not in self._newest:
            columns = {Run.owner_id: run.owner_id, Run.task: rule.task, Run.state: rule.state and State(rule.state)}
            given = {column: value for column, value in columns.items() if value is not None}
            beyond = newest_first(is_postgres(session), select(Run.id), given).offset(rule.runs).limit(1)
            self._newest[key] = session.scalar(beyond) or 0
        return bool(run.id <= self._newest[key])

    def _is_excess(self, rule: RetentionRule, run: Any) -> bool:
        return rule.megabytes is not None and self._left[run.owner_id] > rule.megabytes * MB

    def _taken(self, session: Session, owner_id: int) -> int:
        if all(rule.megabytes is None for rule in self.rules):
            return 0
        return usage.used(session, owner_id).kept_bytes + used_bytes(session, owner_id)
