"""Groups of people, and which groups administrators let use a task. `jobs.runs.rights` decides what follows from it."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ForeignKey, Index, String, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit
from jobs.runs.people import Person, owner_key
from jobs.storage.database import Base, Database, PlainJson

LONGEST_NAME = 100


class Group(Base):
    """A group. Its id is never used again, so that a task that names a deleted group is for nobody of a new one."""

    __tablename__ = "groups"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME), unique=True)


class GroupMember(Base):
    __tablename__ = "group_members"
    __table_args__ = (Index("ix_group_members_group", "group_id"),)

    member_id: Mapped[int] = mapped_column(owner_key("group_members"), primary_key=True, autoincrement=False)
    group_id: Mapped[int] = mapped_column(
        ForeignKey(Group.id, name="fk_group_members_group", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class TaskGroups(Base):
    """The groups, by id, that an administrator lets use a task, in place of those that the task's file names."""

    __tablename__ = "task_groups"

    task: Mapped[str] = mapped_column(String(100), primary_key=True)
    groups: Mapped[list[int]] = mapped_column(PlainJson)


class ListedGroup(NamedTuple):
    """A group and the number of its members."""

    id: int
    name: str
    members: int


class NameTaken(Exception):
    """A group with this name exists."""


class StillUsed(Exception):
    """A group that tasks are for; `tasks` has their names."""

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(", ".join(tasks))
        self.tasks = tasks


def names(database: Database) -> dict[int, str]:
    """Return the names of all groups by id, in alphabetical order."""
    with database.read() as session:
        return {group.id: group.name for group in session.scalars(select(Group).order_by(Group.name))}


def listed(database: Database) -> list[ListedGroup]:
    """Return all groups in alphabetical order."""
    count = func.count(GroupMember.member_id)
    query = select(Group.id, Group.name, count).outerjoin(GroupMember, GroupMember.group_id == Group.id)
    with database.read() as session:
        return [ListedGroup(*row) for row in session.execute(query.group_by(Group.id).order_by(Group.name))]


def with_names(session: Session, wanted: Collection[str]) -> Sequence[int]:
    """Return the ids of those groups that exist."""
    return session.scalars(select(Group.id).where(Group.name.in_(wanted))).all()


def with_id(database: Database, group_id: int) -> Group | None:
    with database.read() as session:
        return session.get(Group, group_id)


def members(database: Database, group_id: int, after: str, limit: int) -> Sequence[Person]:
    """Return members of a group in the order of their addresses, from after one of them."""
    query = select(Person).join(GroupMember, GroupMember.member_id == Person.id)
    mine = query.where(GroupMember.group_id == group_id, Person.email > after)
    with database.read() as session:
        return session.scalars(mine.order_by(Person.email).limit(limit)).all()


def of_person(database: Database, person_id: int) -> dict[int, str]:
    """Return the names of the groups that a person belongs to, by id."""
    with database.read() as session:
        return _of(session, person_id)


def create(database: Database, name: str) -> Group:
    """Create a group. Raises NameTaken."""
    group = Group(name=name)
    try:
        with database.write() as session:
            session.add(group)
            session.flush()
            audit.note(session, "group created", name)
    except IntegrityError:
        raise NameTaken from None
    return group


def rename(database: Database, group_id: int, name: str) -> None:
    """Give a group another name. Raises NameTaken."""
    try:
        with database.write() as session:
            group = session.get(Group, group_id, with_for_update=True)
            if group is not None and group.name != name:
                before, group.name = {"name": group.name}, name
                session.flush()
                audit.note(session, "group renamed", name, before, {"name": name})
    except IntegrityError:
        raise NameTaken from None


def remove(database: Database, group_id: int) -> None:
    """Delete a group that no task is for, as far as administrators decide that. Raises StillUsed."""
    with database.write() as session:
        if used := [row.task for row in session.scalars(select(TaskGroups)) if group_id in row.groups]:
            raise StillUsed(sorted(used))
        gone = session.scalar(delete(Group).where(Group.id == group_id).returning(Group.name))
        if gone is not None:
            audit.note(session, "group deleted", gone)


def add_member(database: Database, group_id: int, person_id: int) -> None:
    """Add a person to a group. Repeating it has no effect."""
    with database.write() as session:
        set_groups_of(session, person_id, {*_of(session, person_id), group_id})


def remove_member(database: Database, group_id: int, person_id: int) -> None:
    """Remove a person from a group. Repeating it has no effect."""
    with database.write() as session:
        set_groups_of(session, person_id, {*_of(session, person_id)} - {group_id})


def set_groups_of(session: Session, person_id: int, groups: Collection[int]) -> None:
    """Make a person a member of these groups and of no others. Groups that do not exist are left out."""
    person = session.get(Person, person_id, with_for_update=True)
    if person is None:
        return
    before = _of(session, person_id)
    known = select(Group.id, Group.name).where(Group.id.in_(groups)).order_by(Group.name)
    kept = known.with_for_update(read=True, key_share=True)  # until they are referred to
    after = {group_id: name for group_id, name in session.execute(kept)}
    if before.keys() == after.keys():
        return
    mine = delete(GroupMember).where(GroupMember.member_id == person_id)
    session.execute(mine.where(GroupMember.group_id.in_(before.keys() - after.keys())))
    session.add_all(GroupMember(member_id=person_id, group_id=new) for new in after.keys() - before.keys())
    audit.note(session, "groups changed", person.email, _shown(before), _shown(after))


def for_tasks(database: Database, tasks: Collection[str]) -> dict[str, list[int]]:
    """Return the groups that administrators let use these tasks, by task, where the task's file does not decide."""
    with database.read() as session:
        rows = session.scalars(select(TaskGroups).where(TaskGroups.task.in_(tasks))).all()
    return {row.task: row.groups for row in rows}


def set_for_task(database: Database, task: str, groups: Collection[int] | None) -> None:
    """Set the groups that may use a task: none means everybody, and None the groups that its file names."""
    with database.write() as session:
        before = session.get(TaskGroups, task, with_for_update=True)
        was = before.groups if before else None
        now = None if groups is None else sorted(groups)
        if now == was:
            return
        if before:
            session.delete(before)
            session.flush()
        if now is not None:
            session.add(TaskGroups(task=task, groups=now))
        audit.note(session, "task's groups changed", task, _named(session, was), _named(session, now))


def _of(session: Session, person_id: int) -> dict[int, str]:
    query = select(Group.id, Group.name).join(GroupMember, GroupMember.group_id == Group.id)
    found = session.execute(query.where(GroupMember.member_id == person_id).order_by(Group.name))
    return {group_id: name for group_id, name in found}


def _named(session: Session, groups: Collection[int] | None) -> dict[str, object]:
    if groups is None:
        return {"groups": "as in its file"}
    found = session.execute(select(Group.id, Group.name).where(Group.id.in_(groups)).order_by(Group.name))
    return _shown({group_id: name for group_id, name in found})


def _shown(groups: Mapping[int, str]) -> dict[str, object]:
    return {"groups": list(groups.values())}
