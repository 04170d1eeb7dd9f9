"""Usage of each user: runs started today, and bytes of parameters and results."""

import json
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, String, Text, bindparam, case, cast, func, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import people
from jobs.runs.people import owner_key
from jobs.runs.run import Run
from jobs.storage.database import Base, utcnow

LEAST_COUNTED = 1000  # a smaller result is not worth a statement of its own


class Usage(Base):
    """A user's latest day with runs, the number of runs started on it, and the bytes that all their runs keep.

    Deleting a run frees its bytes, and does not lower the number.
    """

    __tablename__ = "usage"

    owner_id: Mapped[int] = mapped_column(owner_key("usage"), primary_key=True, autoincrement=False)
    day: Mapped[str] = mapped_column(String(10))
    runs: Mapped[int]
    kept_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class Used(NamedTuple):
    runs_today: int = 0
    kept_bytes: int = 0


COUNT = (
    update(Usage)
    .where(Usage.owner_id == bindparam("owner"))
    .values(
        runs=case((Usage.day == bindparam("today"), Usage.runs + 1), else_=1),
        day=bindparam("today"),
        kept_bytes=Usage.kept_bytes + bindparam("bytes", type_=BigInteger),
    )
    .returning(Usage.runs, Usage.kept_bytes)
    .execution_options(synchronize_session=False)
)
CHANGED = Usage.kept_bytes + bindparam("bytes", type_=BigInteger)
ADD = (
    update(Usage)
    .where(Usage.owner_id == bindparam("owner"))
    .values(kept_bytes=case((CHANGED > 0, CHANGED), else_=0))  # workers of an older version add nothing
    .execution_options(synchronize_session=False)
)
_RESULT = func.coalesce(func.length(cast(Run.result, Text)), 0)
# What a run's row has added: measured in the database as it was by those who added it.
BYTES = (
    func.length(cast(Run.parameters, Text))
    + func.coalesce(func.length(Run.encrypted_parameters), 0)
    + case((_RESULT >= LEAST_COUNTED, _RESULT), else_=0)
)


def count_run(session: Session, owner_id: int, run: Run | None = None) -> Used:
    """Count a run of today, and the bytes of its parameters if it is new. Return the sums with it."""
    people.keep(session, owner_id)
    size = _length(run.parameters) + len(run.encrypted_parameters or "") if run else 0
    given = {"owner": owner_id, "today": _today(), "bytes": size}
    if (found := session.execute(COUNT, given).first()) is None:
        people.in_turn(session, owner_id)  # another transaction may be adding the row
        if (found := session.execute(COUNT, given).first()) is None:
            session.add(Usage(owner_id=owner_id, day=_today(), runs=1, kept_bytes=size))
            session.flush()
            return Used(1, size)
    return Used(*found)


def add_result(connection: Connection, owner_id: int, result: Any) -> None:
    """Add the bytes of a result in the transaction that stores it."""
    if (size := _length(result)) >= LEAST_COUNTED:
        connection.execute(ADD, {"owner": owner_id, "bytes": size})


def add_parameters(session: Session, owner_id: int, before: Any, after: Any) -> None:
    """Add the bytes by which a run's parameters have grown."""
    session.execute(ADD, {"owner": owner_id, "bytes": _length(after) - _length(before)})


def free(session: Session, owner_id: int, size: int) -> None:
    """Take off what a run that is deleted has added."""
    session.execute(ADD, {"owner": owner_id, "bytes": -size})


def used(session: Session, owner_id: int) -> Used:
    found = session.get(Usage, owner_id)
    return Used(found.runs if found.day == _today() else 0, found.kept_bytes) if found else Used()


def _length(value: Any) -> int:
    return 0 if value is None else len(json.dumps(value))


def _today() -> str:
    return utcnow().date().isoformat()
