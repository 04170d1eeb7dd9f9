"""Decide what a person may see and do. Every door asks here: pages, forms, sockets, the API, tools and files.

A person has a role and belongs to groups. A task is for the groups that an administrator has chosen, or else for those
that its file names (`@task(groups=[...])`). Without any it is for everybody; a name that no group has lets nobody in.

| Who                           | sees a task                     | runs it                     |
| ----------------------------- | ------------------------------- | --------------------------- |
| a disabled account            | never                           | never                       |
| an administrator              | always                          | always                      |
| a manager or a member         | if it is for everybody, or for  | if they see it              |
|                               | one of their groups             |                             |
| a viewer                      | as a member does                | never; nor uploads files    |

A run, with its output, result and files, is its owner's. Nobody else sees it, whatever their role. Its owner also stops
and deletes it, even if the task is not for them any more. To run it again is to run its task. Runs that wait or are
tried again by themselves go on.

Administrators manage every group. A manager manages the groups that they belong to: sees who is in them, and adds and
removes viewers and members. A person is made a manager, or added to a group as one, by administrators only.

What somebody may not see is to them as if it did not exist.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from jobs.authoring.task import Task
from jobs.runs.groups import Group, GroupMember, TaskGroups
from jobs.runs.people import Person, Role
from jobs.storage.database import Database

AT_ONCE = 500
MARK_LENGTH = 12


class NotAllowed(Exception):
    """A task that a person may not run. `sees` is whether they may see it."""

    def __init__(self, sees: bool) -> None:
        super().__init__()
        self.sees = sees


class Rule(StrEnum):
    """The rule that decides whether a person sees a task."""

    DISABLED = "disabled"
    ADMINISTRATOR = "administrator"
    EVERYBODY = "everybody"
    IN_GROUP = "in a group"
    IN_NO_GROUP = "in no group"


class Decision(NamedTuple):
    """The decision about a person and a task, and the rule that led to it."""

    rule: Rule
    sees: bool
    runs: bool


@dataclass(frozen=True)
class Rights:
    """A person's role and groups (names by id), and the groups that administrators have set for tasks, by task."""

    person_id: int
    role: Role = Role.VIEWER
    is_active: bool = False
    groups: Mapping[int, str] = field(default_factory=dict)
    set_for_tasks: Mapping[str, Collection[int]] = field(default_factory=dict)

    def decide(self, task: Task) -> Decision:
        """Decide whether the person sees and runs a task."""
        rule = self._rule(task)
        sees = rule in (Rule.ADMINISTRATOR, Rule.EVERYBODY, Rule.IN_GROUP)
        return Decision(rule, sees, sees and self.runs_any)

    def _rule(self, task: Task) -> Rule:
        if not self.is_active:
            return Rule.DISABLED
        if self.role is Role.ADMINISTRATOR:
            return Rule.ADMINISTRATOR
        chosen = self.set_for_tasks.get(task.name)
        wanted, mine = (task.groups, self.groups.values()) if chosen is None else (chosen, self.groups.keys())
        if not wanted:
            return Rule.EVERYBODY
        return Rule.IN_GROUP if set(wanted) & set(mine) else Rule.IN_NO_GROUP

    def sees(self, task: Task) -> bool:
        return self.decide(task).sees

    def runs(self, task: Task) -> bool:
        return self.decide(task).runs

    @property
    def runs_any(self) -> bool:
        """Return whether the person may run tasks at all, and so upload files for them."""
        return self.is_active and self.role is not Role.VIEWER

    def owns(self, owner_id: int) -> bool:
        """Return whether the person sees and changes the runs and files of this owner."""
        return self.is_active and owner_id == self.person_id

    def manages(self, group_id: int) -> bool:
        """Return whether the person manages a group."""
        return self.manages_all or (self.is_active and self.role is Role.MANAGER and group_id in self.groups)

    @property
    def manages_all(self) -> bool:
        """Return whether the person administers everything."""
        return self.is_active and self.role is Role.ADMINISTRATOR

    def moves(self, role: Role) -> bool:
        """Return whether the person adds somebody with this role to the groups that they manage, and removes them."""
        return self.manages_all or role in (Role.VIEWER, Role.MEMBER)

    def mark(self, tasks: Iterable[Task]) -> str:
        """Return a short text that changes when the person's role does, or the tasks that are closed to them."""
        closed = sorted(task.name for task in tasks if not self.sees(task))
        return hashlib.sha256("\n".join([self.role, *closed]).encode()).hexdigest()[:MARK_LENGTH]


# Built once, because every submission and most pages execute them.
PEOPLE = (
    select(Person.id, Person.role, Person.is_active, Group.id, Group.name)
    .outerjoin(GroupMember, GroupMember.member_id == Person.id)
    .outerjoin(Group, Group.id == GroupMember.group_id)
    .where(Person.id.in_(bindparam("people", expanding=True)))
)
SET_FOR_TASKS = select(TaskGroups.task, TaskGroups.groups).where(
    TaskGroups.task.in_(bindparam("tasks", expanding=True))
)


def of(session: Session, person_id: int, tasks: Collection[str]) -> Rights:
    """Return a person's rights, for decisions about these tasks."""
    return of_people(session, [person_id], tasks)[person_id]


def of_people(session: Session, people: Collection[int], tasks: Collection[str]) -> dict[int, Rights]:
    """Return the rights of people by id; somebody who does not exist has none."""
    chosen = {task: groups for task, groups in session.execute(SET_FOR_TASKS, {"tasks": list(tasks)})}
    found = {person_id: Rights(person_id) for person_id in people}
    groups: dict[int, dict[int, str]] = {person_id: {} for person_id in people}
    for person_id, role, is_active, group_id, name in session.execute(PEOPLE, {"people": list(people)}):
        if group_id is not None:
            groups[person_id][group_id] = name
        found[person_id] = Rights(person_id, role, is_active, groups[person_id], chosen)
    return found


def require(session: Session, person_id: int, task: Task) -> None:
    """Raise NotAllowed unless the person may run a task at this moment, in the transaction that begins a run of it."""
    decision = of(session, person_id, [task.name]).decide(task)
    if not decision.runs:
        raise NotAllowed(decision.sees)


def marks(database: Database, people: Collection[int], tasks: Collection[Task]) -> dict[int, str]:
    """Return the marks of people by id, a few hundred at once."""
    ordered, names = sorted(people), [task.name for task in tasks]
    found: dict[int, Rights] = {}
    for first in range(0, len(ordered), AT_ONCE):
        with database.read() as session:
            found |= of_people(session, ordered[first : first + AT_ONCE], names)
    return {person_id: rights.mark(tasks) for person_id, rights in found.items()}
