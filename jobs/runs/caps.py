"""Caps: how many runs a user may have waiting, have running and start in a day, and how much files and runs may take.

The settings say what holds for everybody, ROLE_CAPS what holds for a role instead, and an administrator what holds for
one user. A day is one of UTC, so that whoever is refused knows when the next one begins. Nobody is refused for having
many runs running: further ones wait (jobs.runs.limits).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Index, Integer, bindparam, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config import ConfigError, Settings
from jobs.runs import audit, people, usage
from jobs.runs.people import Person, Role, owner_key
from jobs.runs.run import Run, State
from jobs.storage.database import Base, Database, utcnow

QUEUE_SECONDS = 60  # when to ask again while too many runs wait: nobody knows when one starts
LARGEST = 2**31 - 1
UNLIMITED = 10_000  # more than there are workers
MB = 1_000_000
MOST_COUNTED = 1000
NONE = "You may not start runs at present. Ask an administrator if you need to."

# Built once: on SQLite nobody else can write while it is built and executed.
COUNTED = select(func.count()).select_from(
    select(Run.id)
    .where(Run.owner_id == bindparam("owner"), Run.state == bindparam("state"))
    .limit(bindparam("most", type_=Integer))
    .subquery()
)


@dataclass(frozen=True)
class Caps:
    """The most runs of a user that wait, that run, and in a day, and the most MB of files, and of what runs keep."""

    queued_runs: int
    running_runs: int
    runs_a_day: int
    quota_mb: int
    kept_mb: int


class UserCaps(Base):
    """The caps that an administrator has set for one user. A cap that is None follows the user's role."""

    __tablename__ = "user_caps"
    # In the databases it holds only rows with this cap, as its migration says.
    __table_args__ = (Index("ix_user_caps_running", "running_runs"),)

    owner_id: Mapped[int] = mapped_column(owner_key("user_caps"), primary_key=True, autoincrement=False)
    queued_runs: Mapped[int | None]
    running_runs: Mapped[int | None]
    runs_a_day: Mapped[int | None]
    quota_mb: Mapped[int | None]
    kept_mb: Mapped[int | None]


NAMES = tuple(Caps.__dataclass_fields__)


class TooManyRuns(Exception):
    """The owner has as many runs as a user may have; the message says what to do, `seconds` when to try again."""

    def __init__(self, message: str, seconds: int = QUEUE_SECONDS) -> None:
        super().__init__(message)
        self.seconds = seconds


def by_role(settings: Settings) -> Mapping[str, Mapping[str, int]]:
    """Read ROLE_CAPS, such as `administrator.queued_runs=5000, viewer.runs_a_day=20`. Raises ConfigError."""
    found: dict[str, dict[str, int]] = {}
    for entry in filter(None, map(str.strip, settings.role_caps.split(","))):
        name, _, number = entry.partition("=")
        role, _, cap = name.strip().partition(".")
        if role not in set(Role) or cap not in NAMES or not number.strip().isdecimal() or int(number) > LARGEST:
            example = "administrator.queued_runs=5000"
            advice = f"Write a role ({', '.join(Role)}), a cap ({', '.join(NAMES)}) and a number: {example}"
            raise ConfigError(f"ROLE_CAPS: cannot read {entry!r}. {advice}")
        found.setdefault(role, {})[cap] = int(number)
    return found


def caps_of(session: Session, settings: Settings, owner_id: int) -> Caps:
    """Return what holds for a user."""
    return replace(of_role(session, settings, owner_id), **own_caps(session, owner_id))


def of_role(session: Session, settings: Settings, owner_id: int) -> Caps:
    """Return what holds for a user if nothing is set for them alone."""
    runs = settings.user_queued_runs, settings.user_running_runs, settings.user_runs_a_day
    caps = Caps(*runs, settings.user_quota_mb, settings.user_kept_mb)
    return replace(caps, **by_role(settings).get(people.role_of(session, owner_id) or Role.MEMBER, {}))


def running_by_role(settings: Settings) -> Mapping[Role, int | None]:
    """Return how many runs of a user of each role may be running; None where it is UNLIMITED or more."""
    roles = by_role(settings)
    most = {role: roles.get(role, {}).get("running_runs", settings.user_running_runs) for role in Role}
    return {role: number if number < UNLIMITED else None for role, number in most.items()}


def quota_bytes(database: Database, settings: Settings, owner_id: int) -> int:
    """Return the most that a user's files may take together."""
    with database.read() as session:
        return caps_of(session, settings, owner_id).quota_mb * MB


def own_caps(session: Session, owner_id: int) -> Mapping[str, int]:
    """Return what an administrator has set for this user alone."""
    return _set(session.get(UserCaps, owner_id))


def set_caps(database: Database, owner_id: int, caps: Mapping[str, int | None]) -> None:
    """Set what holds for one user. What is None is as for the user's role."""
    with database.write() as session:
        email = session.scalar(select(Person.email).where(Person.id == owner_id).with_for_update(key_share=True))
        if email is None:
            return
        before = own_caps(session, owner_id)
        session.merge(UserCaps(owner_id=owner_id, **caps))
        audit.note(session, "caps changed", email, before, {name: caps[name] for name in NAMES})


def admit(session: Session, settings: Settings, owner_id: int, run: Run | None = None) -> None:
    """Count a run, a new one with what it keeps, in the transaction that queues it.

    Raises TooManyRuns if the owner has as many as they may have.
    """
    caps = caps_of(session, settings, owner_id)
    if not caps.running_runs:
        raise TooManyRuns(NONE)
    _check_queued(session, caps.queued_runs, owner_id)
    _count_run(session, caps, owner_id, run)


def _check_queued(session: Session, most: int, owner_id: int) -> None:
    """Raise TooManyRuns if no more runs of this owner may wait. Submissions at the same time may pass together."""
    if (session.scalar(COUNTED, {"owner": owner_id, "most": most, "state": State.QUEUED}) or 0) >= most:
        words = f"You have {_runs(most)} waiting, as many as allowed. Wait until one has started, or cancel one."
        raise TooManyRuns(words if most else NONE)


def _count_run(session: Session, caps: Caps, owner_id: int, run: Run | None) -> None:
    """Count a run of today, and what a new one keeps."""
    used = usage.count_run(session, owner_id, run)
    if used.runs_today > caps.runs_a_day:
        midnight = datetime.combine(utcnow().date() + timedelta(days=1), time(), UTC)
        seconds = int((midnight - utcnow()).total_seconds()) + 1
        started = f"You have started {_runs(caps.runs_a_day)} today, as many as allowed."
        wait = f"{seconds // 3600} h {seconds % 3600 // 60} min"
        words = f"{started} Try again after midnight UTC, in {wait}."
        raise TooManyRuns(words if caps.runs_a_day else NONE, seconds)
    if run and used.kept_bytes > caps.kept_mb * MB:
        taken = f"The parameters and results of your runs take more than the {caps.kept_mb:,} MB that are allowed."
        raise TooManyRuns(f"{taken} Delete runs that you no longer need.")


def unfinished(session: Session, owner_id: int) -> Mapping[State, int]:
    """Return how many runs of a user wait and are running; MOST_COUNTED of each stands for more."""
    given = {"owner": owner_id, "most": MOST_COUNTED}
    return {state: session.scalar(COUNTED, {**given, "state": state}) or 0 for state in (State.QUEUED, State.RUNNING)}


def _set(row: UserCaps | None) -> dict[str, int]:
    values = {name: getattr(row, name) for name in NAMES} if row else {}
    return {name: value for name, value in values.items() if value is not None}


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
