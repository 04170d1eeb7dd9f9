"""Shares of runs: who sees which parts of them, and that it ends with whatever it depends on."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import delete, select, update

from config import Settings
from jobs.runs import audit, groups, rights, shares
from jobs.runs.access import PARTS, WHOLE, Access
from jobs.runs.backend import Backend
from jobs.runs.people import Person, Role
from jobs.runs.run import Run, State
from jobs.runs.shares import NotShared, OwnAddress, Parts, Share, Terms, TooManyShares
from jobs.storage.database import utcnow
from tests.support.people import make_owner, make_run
from webapp.accounts import users

ALL = Parts(True, True, True)


def seen(backend: Backend, person_id: int, run: Run) -> Access | None:
    with backend.database.read() as session:
        return rights.access_to_runs(session, person_id, [run.id]).get(run.id)


def by_link(backend: Backend, secret: str, person_id: int | None = None) -> rights.Linked | None:
    with backend.database.read() as session:
        return rights.access_by_link(session, backend.settings, secret, person_id)


def set_active(backend: Backend, email: str, is_active: bool) -> None:
    users.set_active(backend.database, email, is_active)


def test_who_sees_a_run_follows_from_role_group_and_shares(backend: Backend) -> None:
    database, owner = backend.database, make_owner(backend, "owner@example.com")
    group = groups.create(database, "finance").id
    kinds = ("nothing", "the person", "the group", "both", "somebody else", "another group")
    runs = {kind: make_run(backend, owner) for kind in kinds}
    other = groups.create(database, "sales").id
    person_parts, group_parts = Parts(parameters=True), Parts(log=True)
    people = {
        (role, inside, active): make_owner(backend, f"{role}-{inside}-{active}@example.com")
        for role, inside, active in product(Role, (True, False), (True, False))
    }
    for (role, inside, active), person_id in people.items():
        email = f"{role}-{inside}-{active}@example.com"
        users.set_role(database, person_id, role)
        if inside:
            groups.add_member(database, group, person_id)
        set_active(backend, email, active)
        for kind in ("the person", "both"):
            shares.with_person(backend, owner, runs[kind].id, email, person_parts)
    for kind in ("the group", "both"):
        shares.with_group(backend, owner, runs[kind].id, group, group_parts)
    shares.with_person(backend, owner, runs["somebody else"].id, "nobody@example.com", ALL)
    shares.with_group(backend, owner, runs["another group"].id, other, ALL)
    for (role, inside, active), person_id in people.items():
        parts = {
            "the person": {"parameters"},
            **({"the group": {"log"}, "both": {"parameters", "log"}} if inside else {"both": {"parameters"}}),
        }
        for kind, run in runs.items():
            access = seen(backend, person_id, run)
            wanted = parts.get(kind) if active else None
            got = None if access is None else {part for part in PARTS if getattr(access, part)}
            assert got == wanted, (role, inside, active, kind)
            assert access is None or (not access.owns and access.by == "owner@example.com")
    assert {seen(backend, owner, run) for run in runs.values()} == {replace(WHOLE, owner_id=owner, task="reverse_text")}
    set_active(backend, "owner@example.com", False)
    assert not any(seen(backend, person_id, run) for person_id in (owner, *people.values()) for run in runs.values())


def test_a_share_for_an_address_without_account_waits_for_its_proof(backend: Backend) -> None:
    owner = make_owner(backend)
    run = make_run(backend, owner)
    shares.with_person(backend, owner, run.id, "ada@example.com", ALL)
    ada = make_owner(backend, "ada@example.com")
    assert seen(backend, ada, run) is None, "anybody may have registered with this address"
    with backend.database.write() as session:
        shares.claim(session, ada, "ada@example.com")
    assert seen(backend, ada, run)
    with backend.database.write() as session:
        session.execute(update(Person).where(Person.id == ada).values(email="other@example.com"))
    imposter = make_owner(backend, "ada@example.com")
    with backend.database.write() as session:
        shares.claim(session, imposter, "ada@example.com")
    assert seen(backend, ada, run)
    assert seen(backend, imposter, run) is None


def test_sharing_again_changes_the_parts_and_revoking_ends_it(backend: Backend) -> None:
    owner, ada = make_owner(backend), make_owner(backend, "ada@example.com")
    run, other = make_run(backend, owner), make_run(backend, owner)
    share = shares.with_person(backend, owner, run.id, "ada@example.com", ALL)
    again = shares.with_person(backend, owner, run.id, "ada@example.com", Parts(log=True))
    assert (share.id, [one.parts for one in shares.of_run(backend.database, owner, run.id)]) == (again.id, [["log"]])
    assert not shares.revoke(backend, share.id, ada)
    assert not shares.revoke(backend, share.id, owner, other.id)
    assert seen(backend, ada, run)
    assert shares.revoke(backend, share.id, owner, run.id)
    assert seen(backend, ada, run) is None
    assert not shares.revoke(backend, share.id, owner, run.id)
    entries = [(one.verb, one.object, one.before, one.after) for one in audit.listed(backend.database, limit=3)]
    whole, log = ({"with": "ada@example.com", "parts": parts} for parts in ([*PARTS], ["log"]))
    assert entries == [
        ("share revoked", f"run {run.id}", log, {"shared": False}),
        ("run shared", f"run {run.id}", whole, log),
        ("run shared", f"run {run.id}", None, whole),
    ]


def test_nobody_shares_what_is_not_theirs_or_with_themselves_or_too_much(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, ada = make_owner(backend), make_owner(backend, "ada@example.com")
    run = make_run(backend, owner)
    monkeypatch.setattr(shares, "MOST_SHARES", 1)
    for run_id in (run.id, run.id + 100):
        with pytest.raises(NotShared):
            shares.with_person(backend, ada, run_id, "ben@example.com", ALL)
        with pytest.raises(NotShared):
            shares.by_link(backend, ada, run_id, ALL, Terms())
    with pytest.raises(NotShared):
        shares.with_group(backend, owner, run.id, 99, ALL)
    with pytest.raises(OwnAddress):
        shares.with_person(backend, owner, run.id, "owner@example.com", ALL)
    shares.with_person(backend, owner, run.id, "ada@example.com", ALL)
    with pytest.raises(TooManyShares):
        shares.by_link(backend, owner, run.id, ALL, Terms())


def test_a_link_works_until_it_expires_is_revoked_or_its_owner_is_disabled(backend: Backend) -> None:
    owner, ada = make_owner(backend), make_owner(backend, "ada@example.com")
    run = make_run(backend, owner)
    share, secret = shares.by_link(backend, owner, run.id, Parts(files=True), Terms(days=1))
    for_people, closed = shares.by_link(backend, owner, run.id, ALL, Terms(signed_in=True))
    with backend.database.read() as session:
        assert secret not in {value for row in session.execute(select(Share.__table__)) for value in row}
    found = by_link(backend, secret)
    assert found
    assert found.access == Access(owner, files=True, task=run.task)
    assert by_link(backend, "guess") is None
    assert by_link(backend, closed) == rights.Linked(for_people.id, run.id, None)
    assert by_link(backend, closed, ada) == rights.Linked(
        for_people.id, run.id, Access(owner, False, True, True, True, run.task)
    )
    with backend.database.read() as session:
        off = Settings.model_validate({"share_links": "off", "secret_key": "x" * 32})
        assert rights.access_by_link(session, off, secret, None) is None
    shares.visit(backend.database, share.id)
    assert [one.visits for one in shares.of_run(backend.database, owner, run.id)] == [1, 0]
    set_active(backend, "owner@example.com", False)
    assert by_link(backend, secret) is None
    set_active(backend, "owner@example.com", True)
    assert by_link(backend, secret)
    with backend.database.write() as session:
        session.execute(update(Share).where(Share.id == share.id).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert by_link(backend, secret) is None
    shares.revoke(backend, for_people.id)
    assert by_link(backend, closed, ada) is None
    assert not shares.of_owner(backend.database, owner)


def test_shares_go_with_the_run_the_people_and_the_group(backend: Backend) -> None:
    database, owner, ada = backend.database, make_owner(backend), make_owner(backend, "ada@example.com")
    group = groups.create(database, "finance").id
    run, other, plain = (make_run(backend, owner, state=State.SUCCEEDED) for _ in range(3))
    for one in (run, other):
        shares.with_person(backend, owner, one.id, "ada@example.com", ALL)
        shares.with_group(backend, owner, one.id, group, ALL)
    with database.read() as session:
        assert set(session.scalars(select(Run.id).where(shares.is_shared()))) == {run.id, other.id}
    assert plain.id not in {one.run_id for one in shares.newest(database, 1000, 10)}
    with database.write() as session:
        session.execute(delete(Run).where(Run.id == run.id))
    assert [one.kind for one in shares.of_owner(database, owner)] == ["person", "group"]
    groups.remove(database, group)
    assert [one.kind for one in shares.of_owner(database, owner)] == ["person"]
    with database.write() as session:
        session.execute(delete(Person).where(Person.id == ada))
    assert not shares.of_owner(database, owner)
