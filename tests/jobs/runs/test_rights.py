"""Rights: one function decides who sees and runs which task, and who manages which group."""

from itertools import product
from typing import Any

import pytest

from jobs import task
from jobs.authoring.task import Task
from jobs.runs import groups, rights, submission
from jobs.runs.backend import Backend
from jobs.runs.people import Person, Role
from jobs.runs.rights import NotAllowed, Rights, Rule
from jobs.runs.run import State
from jobs.runs.submission import Conflict, submit
from tests.support.people import make_owner, make_run, read

FINANCE, SALES = 1, 2
NAMES = {FINANCE: "finance", SALES: "sales"}


def task_for(*names: str) -> Task:
    @task(groups=list(names))
    def report() -> None:
        """Report."""

    found: Task = report.__dict__["__task__"]
    return found


OF_FILE: dict[str, set[str]] = {"nobody named": set(), "finance": {"finance"}, "unknown": {"nobody has this name"}}
CHOSEN: dict[str, set[int] | None] = {
    "the file": None,
    "everybody": set(),
    "finance": {FINANCE},
    "both": {FINANCE, SALES},
    "a deleted group": {99},
}
MINE: list[set[int]] = [set(), {FINANCE}, {SALES}, {FINANCE, SALES}]


@pytest.mark.parametrize("role", Role)
def test_who_sees_and_runs_a_task_follows_from_role_groups_file_and_page(role: Role) -> None:
    """Compare every decision with the specification, said in another way."""
    for of_file, chosen, mine, is_active in product(OF_FILE, CHOSEN, MINE, (True, False)):
        ids = CHOSEN[chosen]
        one = Rights(
            1, role, is_active, {group: NAMES[group] for group in mine}, {} if ids is None else {"report": ids}
        )
        open_to = {NAMES[group] for group in mine}
        wanted = OF_FILE[of_file] if ids is None else {NAMES.get(group, "?") for group in ids}
        for_me = not wanted or not wanted.isdisjoint(open_to)
        sees = is_active and (role == "administrator" or for_me)
        decision = one.decide(task_for(*OF_FILE[of_file]))
        case = (of_file, chosen, mine, is_active)
        assert (decision.sees, decision.runs) == (sees, sees and role != "viewer"), case
        assert (decision.rule in (Rule.DISABLED, Rule.IN_NO_GROUP)) == (not sees), case


@pytest.mark.parametrize(("role", "is_active"), list(product(Role, (True, False))))
def test_who_manages_which_group_and_moves_whom(role: Role, is_active: bool) -> None:
    one = Rights(1, role, is_active, {FINANCE: "finance"})
    is_boss = is_active and role == "administrator"
    assert one.manages(SALES) == is_boss
    assert one.manages(FINANCE) == (is_boss or (is_active and role == "manager"))
    assert {other for other in Role if one.moves(other)} == {*Role} if is_boss else {"viewer", "member"}


def test_somebody_who_does_not_exist_has_no_rights(backend: Backend) -> None:
    with backend.database.read() as session:
        assert rights.of(session, 999, ["report"]).decide(task_for()).rule is Rule.DISABLED


def test_a_mark_changes_with_the_role_and_with_what_is_closed_only() -> None:
    tasks = [task_for("finance")]
    outside, inside = Rights(1, Role.MEMBER, True), Rights(1, Role.MEMBER, True, {FINANCE: "finance"})
    assert outside.mark(tasks) != inside.mark(tasks)
    assert outside.mark([]) == inside.mark([]) == inside.mark(tasks)
    assert outside.mark([]) != Rights(1, Role.VIEWER, True).mark([])


def change(backend: Backend, person_id: int, **values: Any) -> None:
    with backend.database.write() as session:
        for name, value in values.items():
            setattr(session.get_one(Person, person_id), name, value)


def test_a_submission_is_decided_in_its_transaction(backend: Backend) -> None:
    ada, one = make_owner(backend), backend.catalog["reverse_text"]
    parameters = one.parameters.model_validate({"text": "abc"})
    finance = groups.create(backend.database, "finance").id

    def refused() -> bool | None:
        try:
            submit(backend, one, ada, parameters)
        except NotAllowed as error:
            return error.sees
        return None

    assert refused() is None
    change(backend, ada, role=Role.VIEWER)
    assert refused() is True
    change(backend, ada, role=Role.MEMBER)
    groups.set_for_task(backend.database, one.name, [finance])
    assert refused() is False
    groups.add_member(backend.database, finance, ada)
    assert refused() is None
    change(backend, ada, is_active=False)
    assert refused() is False


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_to_run_again_is_to_submit(backend: Backend, state: State) -> None:
    ada = make_owner(backend)
    run = make_run(backend, ada, state=state)
    groups.set_for_task(backend.database, run.task, [99])
    with pytest.raises(Conflict, match="may not run this task any more"):
        submission.retry(backend, ada, run)
    assert read(backend, run).state is state
    groups.set_for_task(backend.database, run.task, None)
    assert submission.retry(backend, ada, run).state is State.QUEUED


def test_a_group_that_a_task_is_for_is_not_deleted(backend: Backend) -> None:
    database = backend.database
    finance = groups.create(database, "finance").id
    groups.set_for_task(database, "reverse_text", [finance])
    with pytest.raises(groups.StillUsed, match="reverse_text"):
        groups.remove(database, finance)
    groups.set_for_task(database, "reverse_text", None)
    groups.remove(database, finance)
    assert groups.create(database, "finance").id != finance, "the id of a deleted group belongs to nobody"


def test_names_of_groups_are_unique(backend: Backend) -> None:
    finance, sales = (groups.create(backend.database, name).id for name in ("finance", "sales"))
    with pytest.raises(groups.NameTaken):
        groups.create(backend.database, "sales")
    with pytest.raises(groups.NameTaken):
        groups.rename(backend.database, finance, "sales")
    groups.rename(backend.database, finance, "Accounts")
    assert groups.names(backend.database) == {finance: "Accounts", sales: "sales"}


def test_members_come_and_go_with_their_account_and_their_group(backend: Backend) -> None:
    database, ada, ben = backend.database, make_owner(backend), make_owner(backend, "ben@example.com")
    finance, sales = (groups.create(database, name).id for name in ("finance", "sales"))
    for person in (ada, ben):
        groups.add_member(database, finance, person)
        groups.add_member(database, finance, person)
    assert [person.id for person in groups.members(database, finance, "", 10)] == [ben, ada]
    groups.remove_member(database, finance, ben)
    groups.remove_member(database, sales, ada)
    assert groups.listed(database) == [(finance, "finance", 1), (sales, "sales", 0)]
    groups.remove(database, finance)
    assert groups.of_person(database, ada) == {}
