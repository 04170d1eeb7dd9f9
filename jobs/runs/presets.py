"""Presets: inputs of a task that somebody has named, for themselves or shared with everybody who may use the task."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit
from jobs.runs.people import in_turn, owner_key
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

LONGEST_NAME = 80
MOST_OF_OWNER = 500
MOST_LISTED = 200


class NameTaken(Exception):
    """A name that another preset of the same owner and task has."""


class TooManyPresets(Exception):
    """More presets than one person may have."""


class Preset(Base):
    """A preset. Its parameters have neither files nor secrets. At most one of an owner and task is their default."""

    __tablename__ = "presets"
    __table_args__ = (
        UniqueConstraint("owner_id", "task", "name", name="uq_presets_name"),
        Index("ix_presets_task", "task", "is_shared"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("presets"))
    task: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_shared: Mapped[bool] = mapped_column(default=False)
    is_default: Mapped[bool] = mapped_column(default=False)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def listed(session: Session, owner_id: int, task: str) -> Sequence[Preset]:
    """Return a person's presets of a task and then those that others share, each by name."""
    query = select(Preset).where(Preset.task == task, _visible(owner_id))
    mine_first = (Preset.owner_id != owner_id, func.lower(Preset.name), Preset.id)
    return session.scalars(query.order_by(*mine_first).limit(MOST_LISTED)).all()


def found(session: Session, owner_id: int, task: str, preset_id: int) -> Preset | None:
    """Return a preset of a task if it is the person's or shared."""
    return session.scalar(select(Preset).where(Preset.id == preset_id, Preset.task == task, _visible(owner_id)))


def default_of(session: Session, owner_id: int, task: str) -> Preset | None:
    mine = (Preset.owner_id == owner_id, Preset.task == task)
    return session.scalar(select(Preset).where(*mine, Preset.is_default))


def of_owner(session: Session, owner_id: int) -> Sequence[Preset]:
    return session.scalars(select(Preset).where(Preset.owner_id == owner_id).order_by(Preset.task, Preset.name)).all()


def save(database: Database, owner_id: int, task: str, name: str, parameters: Mapping[str, Any]) -> Preset:
    """Save inputs under a name, with a number behind it if it is taken. Raises TooManyPresets."""
    with database.write() as session:
        in_turn(session, owner_id)
        mine = of_owner(session, owner_id)
        if len(mine) >= MOST_OF_OWNER:
            raise TooManyPresets
        taken = {preset.name for preset in mine if preset.task == task}
        numbered = (f"{name[: LONGEST_NAME - 6]} ({number})" for number in range(2, MOST_OF_OWNER + 2))
        free = next(one for one in (name[:LONGEST_NAME], *numbered) if one not in taken)
        preset = Preset(owner_id=owner_id, task=task, name=free, parameters=dict(parameters))
        session.add(preset)
        audit.note(session, "preset saved", _said(preset))
    return preset


def change(database: Database, preset: Preset, name: str, is_shared: bool, is_default: bool) -> None:
    """Rename a preset, share it or not, and make it its owner's default or not. Raises NameTaken."""
    with database.write() as session:
        in_turn(session, preset.owner_id)
        alike = (Preset.owner_id == preset.owner_id, Preset.task == preset.task, Preset.id != preset.id)
        if session.scalar(select(Preset.id).where(*alike, Preset.name == name)):
            raise NameTaken
        if is_default:
            session.execute(update(Preset).where(*alike).values(is_default=False))
        values = {"name": name, "is_shared": is_shared, "is_default": is_default}
        session.execute(update(Preset).where(Preset.id == preset.id).values(**values))
        before = {"name": preset.name, "is_shared": preset.is_shared, "is_default": preset.is_default}
        audit.note(session, "preset changed", _said(preset), before=before, after=values)


def remove(database: Database, preset: Preset) -> None:
    """Delete a preset. Repeating it has no effect."""
    with database.write() as session:
        if session.execute(delete(Preset).where(Preset.id == preset.id).returning(Preset.id)).first():
            audit.note(session, "preset deleted", _said(preset))


def _visible(owner_id: int) -> Any:
    return or_(Preset.owner_id == owner_id, Preset.is_shared)


def _said(preset: Preset) -> str:
    return f"{preset.task}: {preset.name}"
