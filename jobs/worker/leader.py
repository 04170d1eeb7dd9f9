"""Elect one leader among equal processes, with a heartbeat counter in a database row.

The leader increments the counter. A process that sees the same value for LEADER_SECONDS takes over. Each process
measures this with its own monotonic clock, so wall clocks do not matter.
"""

import secrets
import time

from sqlalchemy import String, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from jobs.storage.database import Base, Database

LEADER_SECONDS = 20


class LeaderRow(Base):
    __tablename__ = "leaders"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    beat: Mapped[int]


class Leadership:
    """This process's candidacy for one named leadership."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._me = secrets.token_hex(8)
        self._seen: tuple[str, int] | None = None
        self._since = 0.0
        self._held = False

    @property
    def held(self) -> bool:
        """Return whether this process was the leader at its last call of `hold`."""
        return self._held

    def hold(self) -> bool:
        """Acquire or renew the leadership and return whether this process holds it. Call well within LEADER_SECONDS."""
        self._held = self._raise_beat(self._me) or self._take_over()
        return self._held

    def _take_over(self) -> bool:
        seen = self._look()
        if seen is None:
            return self._found()
        holder, beat = seen
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        if holder and time.monotonic() - self._since < LEADER_SECONDS:
            return False
        return self._raise_beat(holder, beat)

    def give_up(self) -> None:
        """Give up leadership at once, so that another process can lead."""
        self._held = False
        with self._database.write() as session:
            mine = (LeaderRow.name == self._name) & (LeaderRow.holder == self._me)
            session.execute(update(LeaderRow).where(mine).values(holder=""))

    def _raise_beat(self, holder: str, beat: int | None = None) -> bool:
        same = (LeaderRow.name == self._name) & (LeaderRow.holder == holder)
        if beat is not None:
            same &= LeaderRow.beat == beat
        statement = update(LeaderRow).where(same).values(holder=self._me, beat=LeaderRow.beat + 1)
        with self._database.write() as session:
            return bool(session.execute(statement.returning(LeaderRow.beat)).first())

    def _look(self) -> tuple[str, int] | None:
        with self._database.read() as session:
            row = session.get(LeaderRow, self._name)
            return (row.holder, row.beat) if row else None

    def _found(self) -> bool:
        try:
            with self._database.write() as session:
                session.add(LeaderRow(name=self._name, holder=self._me, beat=1))
        except IntegrityError:  # another process was faster
            return False
        return True
