"""Changes of accounts and groups at the same time: every transaction locks in one order, so that none is given up."""

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import event, text

from jobs.runs import Gone, Kind, Pause, Role, audit, delete_person, groups, pauses, webhooks
from jobs.runs.backend import Backend
from jobs.runs.caps import NAMES, set_caps
from jobs.runs.groups import Group, GroupMember
from jobs.storage.database import Base, utcnow
from tests.support.people import make_owner
from tests.support.waiting import until
from webapp.accounts import (
    addresses,
    identities,
    invitations,
    resets,
    second_factors,
    sessions,
    throttle,
    tokens,
    users,
)
from webapp.accounts.invitations import Invitation, NotInvited
from webapp.accounts.proofs import AddressProof, NotProved
from webapp.accounts.provider import Claims
from webapp.accounts.resets import PasswordReset
from webapp.accounts.second_factors import RecoveryCode, SecondFactor
from webapp.accounts.sessions import Session
from webapp.accounts.throttle import KnownPlace
from webapp.accounts.tokens import Grant, Token, digest_of
from webapp.accounts.users import Account

Change = Callable[[], object]
Making = Callable[["Scene"], Change]
MOST_LOCKS = 25
REFUSED = (Gone, NotInvited, NotProved)
PASSWORD = "correct horse battery staple"


class Scene:
    """An account with everything that an account can have, a group of it, and an invitation into that group."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.database = backend, backend.database
        name, self.secret, now = secrets.token_hex(4), pyotp.random_base32(), utcnow()
        self.invited, later, long_ago = f"new-{name}@example.com", now + timedelta(hours=1), now - timedelta(days=300)
        self.user, self.group = Account(email=f"{name}@example.com", password_hash=""), Group(name=name)
        with self.database.write() as session:
            session.add_all([self.user, self.group])
            session.flush()
            mine, link = {"owner_id": self.user.id}, {"digest": digest_of(name), "expires_at": later}
            sealed = backend.vault.seal_second_factor(self.user.id, self.secret)
            old = {"version": 1, "device": "", "ip_address": "", "created_at": long_ago, "last_used_at": long_ago}
            invited = {"email": self.invited, "groups": [self.group.id], "inviter_id": self.user.id}
            token = {"name": "expired", "scopes": [], "tasks": [], "expires_at": long_ago}
            rows: list[Base] = [
                GroupMember(member_id=self.user.id, group_id=self.group.id),
                Invitation(**invited, **link),
                PasswordReset(**mine, **link),
                AddressProof(**mine, **link, email=f"x{name}@example.com"),
                Token(**mine, **token, digest=digest_of(f"token {name}")),
                Session(**mine, **old, digest=""),
                KnownPlace(**mine, place="192.0.2.1", at=long_ago),
                Pause(**mine, kind=Kind.USER, name=str(self.user.id), paused_by=""),
                SecondFactor(**mine, encrypted_secret=sealed),
                RecoveryCode(**mine, digest=""),
            ]
            session.add_all(rows)
        self.link = name

    def with_second_factor(self) -> None:
        assert second_factors.turn_on(self.backend, self.user, pyotp.TOTP(self.secret).now())


def delete_account(scene: Scene) -> Change:
    return lambda: delete_person(scene.backend, scene.user.id)


def delete_group(scene: Scene) -> Change:
    return lambda: groups.remove(scene.database, scene.group.id)


def accept(scene: Scene) -> Change:
    return lambda: invitations.accept(scene.database, scene.link, scene.invited, PASSWORD)


def join(scene: Scene) -> Change:
    users.set_admin(scene.database, scene.user.email, True)
    settings = scene.backend.settings.model_copy(update={"oidc_administrators": frozenset({"admins"})})
    claims = Claims("https://issuer.example", secrets.token_hex(8), scene.invited, frozenset())
    return lambda: identities.join(scene.database, claims, settings)


def invite_again(scene: Scene) -> Change:
    return lambda: invitations.create(scene.backend, scene.invited, inviter_id=scene.user.id)


def use_reset_link(scene: Scene) -> Change:
    return lambda: resets.use(scene.database, scene.link, PASSWORD)


def ask_for_reset_link(scene: Scene) -> Change:
    return lambda: resets.send(scene.backend, scene.user.id)


def begin_change_of_address(scene: Scene) -> Change:
    return lambda: addresses.begin(scene.backend, scene.user, "another@example.com")


def change_address(scene: Scene) -> Change:
    return lambda: addresses.change(scene.backend, scene.user, scene.link)


def begin_second_factor(scene: Scene) -> Change:
    return lambda: second_factors.begin(scene.backend, scene.user)


def turn_on_second_factor(scene: Scene) -> Change:
    return lambda: second_factors.turn_on(scene.backend, scene.user, pyotp.TOTP(scene.secret).now())


def renew_codes(scene: Scene) -> Change:
    scene.with_second_factor()
    return lambda: second_factors.renew_codes(scene.database, scene.user)


def turn_off_second_factor(scene: Scene) -> Change:
    scene.with_second_factor()
    return lambda: second_factors.turn_off(scene.database, scene.user, is_lost=True)


def create_token(scene: Scene) -> Change:
    return lambda: tokens.create(scene.database, scene.user.id, Grant("new"))


def begin_session(scene: Scene) -> Change:
    return lambda: sessions.begin(scene.database, scene.user)


def note_place(scene: Scene) -> Change:
    return lambda: throttle.note_place(scene.database, scene.user.id, "192.0.2.2")


def leave_groups(scene: Scene) -> Change:
    return lambda: groups.remove_member(scene.database, scene.group.id, scene.user.id)


def join_group(scene: Scene) -> Change:
    groups.remove_member(scene.database, scene.group.id, scene.user.id)
    return lambda: groups.add_member(scene.database, scene.group.id, scene.user.id)


def pause_again(scene: Scene) -> Change:
    return lambda: pauses.pause(scene.database, Kind.USER, str(scene.user.id), "why", "boss@example.com")


def cap(scene: Scene) -> Change:
    return lambda: set_caps(scene.database, scene.user.id, dict.fromkeys(NAMES, 1))


def save_secret(scene: Scene) -> Change:
    return lambda: scene.backend.vault.put(scene.user.id, "NAME", "value")


def create_webhook(scene: Scene) -> Change:
    return lambda: webhooks.create(scene.backend, scene.user.id, "https://example.com/hook")


def disable(scene: Scene) -> Change:
    return lambda: users.set_active(scene.database, scene.user.email, False)


OF_ACCOUNT = [
    *(invite_again, use_reset_link, ask_for_reset_link, begin_change_of_address, change_address, begin_second_factor),
    *(turn_on_second_factor, renew_codes, turn_off_second_factor, create_token, begin_session, note_place),
    *(leave_groups, join_group, pause_again, cap, save_secret, create_webhook, disable, accept, join),
]
OF_GROUP = [accept, join, join_group, leave_groups]
PAIRS = [(one, delete_account) for one in OF_ACCOUNT] + [(one, delete_group) for one in OF_GROUP]
PAIRS += [(delete_account, delete_group), (delete_group, delete_account), (delete_group, accept)]


@contextmanager
def held_after(backend: Backend, count: int) -> Iterator[tuple[Callable[[Change], Future[object]], threading.Event]]:
    """Hold a change after so many statements that lock something, until the event is set."""
    reached, goes_on, of = threading.Event(), threading.Event(), threading.local()

    def run(change: Change) -> object:
        of.left = count
        try:
            return change()
        finally:
            of.left = None
            reached.set()

    def hold(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        left = getattr(of, "left", None)
        if left is None or "audit" in statement or (statement.startswith("SELECT") and " FOR " not in statement):
            return
        of.left = left - 1
        if of.left == 0:
            reached.set()
            assert goes_on.wait(20)

    def begin(change: Change) -> Future[object]:
        threads = ThreadPoolExecutor(1)
        result = threads.submit(run, change)
        threads.shutdown(wait=False)
        assert reached.wait(20)
        return result

    event.listen(backend.database.engine, "after_cursor_execute", hold)
    try:
        yield begin, goes_on
    finally:
        event.remove(backend.database.engine, "after_cursor_execute", hold)


def waits(backend: Backend) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with backend.database.read() as session:
        return bool(session.scalar(text(query)))


@pytest.mark.only_on("postgres")
def test_two_changes_at_the_same_time_never_wait_for_each_other(backend: Backend) -> None:
    """The first is held after each of its locks until the second waits for it, or has ended."""
    for first, second in PAIRS:
        locks = next(count for count in range(1, MOST_LOCKS) if ended_before(backend, first, second, count))
        assert locks > 1, f"{first.__name__} locks nothing"
    assert audit.verify(backend.database)[2] is None


def ended_before(backend: Backend, first: Making, second: Making, count: int) -> bool:
    """Hold the first change after so many locks, begin the second, and return whether the first had ended before."""
    scene = Scene(backend)
    one, other = first(scene), second(scene)
    with held_after(backend, count) as (begin, goes_on), ThreadPoolExecutor(1) as threads:
        held = begin(one)
        is_over = held.done()
        meanwhile = threads.submit(other)
        until(lambda: meanwhile.done() or waits(backend), "the second change")
        goes_on.set()
        for change in (held, meanwhile):
            error = change.exception(20)
            names = f"{first.__name__} and {second.__name__}, after {count} locks"
            assert error is None or isinstance(error, REFUSED), f"{names}: {error!r}"
    return is_over


def test_an_entry_is_the_last_that_its_transaction_writes(backend: Backend) -> None:
    owner_id = make_owner(backend)
    written: list[str] = []
    event.listen(
        backend.database.engine,
        "after_cursor_execute",
        lambda *arguments: written.append(arguments[2].partition("(")[0].strip()),
    )
    with backend.database.write() as session:
        audit.note(session, "role changed", "owner@example.com")
        session.get_one(Account, owner_id, with_for_update=True).role = Role.VIEWER
        audit.note(session, "account disabled", "owner@example.com")
        session.execute(text("UPDATE users SET weight = 2"))
    assert written[-1] == "INSERT INTO audit"
    writing = [one.split()[0] for one in written if one.startswith(("INSERT", "UPDATE"))]
    assert writing == ["UPDATE", "UPDATE", "INSERT", "INSERT"]
    assert audit.verify(backend.database)[::2] == (2, None)
