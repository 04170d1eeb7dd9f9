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

A run, with its output, result and files, is its owner's. They also stop and delete it, even if the task is not for them
any more. To run it again is to run its task. Runs that wait or are tried again by themselves go on.

Nobody else sees a run, whatever their role, unless its owner shares it with them, with a group of theirs, or by a link
that they have. They see its state, its times, and its result or error, and of parameters, log and files what the owner
has chosen; they change nothing. A disabled account neither sees nor shares anything.

A preset is its maker's. If it is shared, everybody who runs its task uses it, and managers and administrators change
and delete it, too.

Administrators manage every group. A manager manages the groups that they belong to: sees who is in them, and adds and
removes viewers and members. A person is made a manager, or added to a group as one, by administrators only.

What somebody may not see is to them as if it did not exist.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, aliased

from config import Settings
from jobs.authoring.task import Task
from jobs.runs.access import PARTS, WHOLE, Access
from jobs.runs.groups import Group, GroupMember, TaskGroups
from jobs.runs.people import Person, Role
from jobs.runs.run import Run, owned, seen_with
from jobs.runs.shares import Share, counts, digest_of, runs_shared_with
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

    def changes_preset(self, owner_id: int, is_shared: bool) -> bool:
        """Return whether the person changes and deletes a preset of a task that they run."""
        is_in_charge = self.role in (Role.MANAGER, Role.ADMINISTRATOR)
        return self.is_active and (owner_id == self.person_id or (is_shared and is_in_charge))

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


VIEWER = aliased(Person)
WITH_VIEWER = (Share.person_id == bindparam("viewer")) | Share.group_id.in_(
    select(GroupMember.group_id).where(GroupMember.member_id == bindparam("viewer"))
)
# A run that does not exist and one that is not for the viewer are read by the same statement.
RUNS_AND_SHARES = (
    select(Run.id, Run.task, Run.owner_id, Person.email, Person.is_active, Share)
    .join(Person, Person.id == Run.owner_id)
    .join(VIEWER, (VIEWER.id == bindparam("viewer")) & VIEWER.is_active)
    .outerjoin(Share, (Share.run_id == Run.id) & WITH_VIEWER)
    .where(Run.id.in_(bindparam("runs", expanding=True)))
)


def access_to_runs(session: Session, person_id: int, run_ids: Collection[int]) -> dict[int, Access]:
    """Return what a person sees of these runs, by id, without those that they do not see."""
    found: dict[int, Access] = {}
    rows = session.execute(RUNS_AND_SHARES, {"viewer": person_id, "runs": list(run_ids)})
    for run_id, task, owner_id, email, is_active, share in rows:
        if owner_id == person_id:
            found[run_id] = replace(WHOLE, owner_id=owner_id, task=task)
        elif is_active and share is not None:
            found[run_id] = _with(found.get(run_id) or Access(owner_id, task=task, by=email), share)
    return found


def see(session: Session, person_id: int, run_id: int) -> Run | None:
    """Return a run, as much of it as a person sees, or None if it is to them as if it did not exist."""
    access = access_to_runs(session, person_id, [run_id]).get(run_id)
    run = owned(session, access.owner_id, run_id) if access else None
    session.expunge_all()
    return seen_with(run, access) if run and access else None


def shared_with(session: Session, person_id: int, before: int, limit: int) -> list[Run]:
    """Return the runs with an id below `before` that others share with a person, newest first, as they see them."""
    run_ids = runs_shared_with(session, person_id, before, limit)
    accesses = access_to_runs(session, person_id, run_ids)
    runs = session.scalars(select(Run).where(Run.id.in_(accesses)).order_by(Run.id.desc())).all()
    session.expunge_all()  # what a reader does not see is removed from these
    return [seen_with(run, accesses[run.id]) for run in runs]


class Linked(NamedTuple):
    """The content of a link: its share, the run, and what is seen of it, or None until its reader has signed in."""

    share_id: int
    run_id: int
    access: Access | None


def access_by_link(session: Session, settings: Settings, secret: str, person_id: int | None) -> Linked | None:
    """Return what the link with this secret shows to a person, or to a stranger, or None if it does not work."""
    if not settings.share_links:
        return None
    query = select(Share, Run.task).join(Run, Run.id == Share.run_id).join(Person, Person.id == Share.owner_id)
    row = session.execute(query.where(Share.digest == digest_of(secret), counts(), Person.is_active)).first()
    if row is None:
        return None
    share, task = row
    refused = share.signed_in and person_id is None
    return Linked(share.id, share.run_id, None if refused else _with(Access(share.owner_id, task=task), share))


def _with(access: Access, share: Share) -> Access:
    """Return an access with the parts that a share adds."""
    return replace(access, **{part: getattr(access, part) or getattr(share, part) for part in PARTS})
