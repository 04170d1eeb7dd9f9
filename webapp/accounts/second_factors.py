"""Second factors: the codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost."""

import hmac
import logging
import secrets
import time
from collections import Counter
from datetime import datetime

import pyotp
from sqlalchemy import BigInteger, String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import Backend, audit, owner_key, people
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts.tokens import digest_of
from webapp.accounts.users import Account

log = logging.getLogger("dumbwaiter.security")

STEP_SECONDS = 30
STEPS_APART = (0, -1, 1)  # clocks may differ by a step
RECOVERY_CODES = 10
RECOVERY_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike
RECOVERY_GROUPS, RECOVERY_GROUP = 4, 4  # 79 bits, so that a plain hash suffices
LONGEST_CODE = 100


class SecondFactor(Base):
    """The secret of an owner's app. It counts from `on_since`, when a code has proved that the app has it.

    `last_step` is the step of the last code that was accepted: that one and those before it are accepted no more.
    """

    __tablename__ = "second_factors"

    owner_id: Mapped[int] = mapped_column(owner_key("second_factors"), primary_key=True, autoincrement=False)
    encrypted_secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    on_since: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecoveryCode(Base):
    """A code that has not been used."""

    __tablename__ = "recovery_codes"

    owner_id: Mapped[int] = mapped_column(owner_key("recovery_codes"), primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)


def begin(backend: Backend, user: Account) -> None:
    """Make a secret for an app, in place of one that was not proved. It counts for nothing yet."""
    encrypted = backend.vault.seal_second_factor(user.id, pyotp.random_base32())
    with backend.database.write() as session:
        people.in_turn(session, user.id)  # two clicks at once make one row
        factor = session.get(SecondFactor, user.id)
        if factor and factor.on_since:
            return
        session.merge(SecondFactor(owner_id=user.id, encrypted_secret=encrypted, last_step=0))
        _note(session, "two-factor sign-in begun", user)


def pending(backend: Backend, user: Account) -> str | None:
    """Return the secret that an app has yet to prove, or None if there is none."""
    with backend.database.read() as session:
        factor = session.get(SecondFactor, user.id)
    if factor is None or factor.on_since:
        return None
    return backend.vault.unseal_second_factor(user.id, factor.encrypted_secret)


def turn_on(backend: Backend, user: Account, code: str) -> list[str] | None:
    """Turn the second factor on if the code is of the pending secret. Return the recovery codes, or None."""
    secret = pending(backend, user)
    step = _step_of(secret, _digits(code)) if secret else None
    if step is None:
        return None
    off = (SecondFactor.owner_id == user.id) & SecondFactor.on_since.is_(None)
    with backend.database.write() as session:
        people.in_turn(session, user.id)
        on = update(SecondFactor).where(off).values(on_since=utcnow(), last_step=step).returning(SecondFactor.owner_id)
        if session.scalar(on) is None:
            return None
        session.execute(update(Account).where(Account.id == user.id).values(has_second_factor=True))
        _note(session, "two-factor sign-in turned on", user)
        return _new_codes(session, user.id)


def accepts(backend: Backend, user: Account, code: str) -> bool:
    """Return whether a code of the app, or a recovery code, is right. It is used up by that."""
    with backend.database.read() as session:
        factor = session.get(SecondFactor, user.id)
    if factor is None or factor.on_since is None or len(code) > LONGEST_CODE:
        return False
    secret = backend.vault.unseal_second_factor(user.id, factor.encrypted_secret)
    step = _step_of(secret, _digits(code)) if secret else None
    if step is None:
        return _use_recovery_code(backend.database, user, code)
    newer = (SecondFactor.owner_id == user.id) & (SecondFactor.last_step < step)
    with backend.database.write() as session:
        used = update(SecondFactor).where(newer).values(last_step=step).returning(SecondFactor.owner_id)
        return session.scalar(used) is not None


def renew_codes(database: Database, user: Account) -> list[str]:
    """Replace the recovery codes, and return the new ones."""
    with database.write() as session:
        people.keep(session, user.id)
        _note(session, "recovery codes created", user)
        return _new_codes(session, user.id)


def turn_off(database: Database, user: Account, is_lost: bool = False) -> bool:
    """Turn the second factor off; if it is lost, end the user's sessions. Return False if it was not on."""
    verb = "two-factor sign-in reset" if is_lost else "two-factor sign-in turned off"
    with database.write() as session:
        people.in_turn(session, user.id)
        gone = delete(SecondFactor).where(SecondFactor.owner_id == user.id).returning(SecondFactor.on_since)
        was_on = session.scalar(gone) is not None
        session.execute(delete(RecoveryCode).where(RecoveryCode.owner_id == user.id))
        if was_on:
            values = {"has_second_factor": False, "session_version": Account.session_version + int(is_lost)}
            session.execute(update(Account).where(Account.id == user.id).values(values))
            _note(session, verb, user)
    return was_on


def codes_left(database: Database, user_id: int) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).where(RecoveryCode.owner_id == user_id)) or 0


def renew_secrets(backend: Backend) -> tuple[int, int]:
    """Re-encrypt the secrets of all apps. Return how many were renewed, and how many were lost."""
    counts, vault = Counter[bool](), backend.vault
    with backend.database.write() as session:
        for factor in session.scalars(select(SecondFactor).with_for_update()):
            secret = vault.unseal_second_factor(factor.owner_id, factor.encrypted_secret)
            if secret is not None:
                factor.encrypted_secret = vault.seal_second_factor(factor.owner_id, secret)
            counts[secret is not None] += 1
    return counts[True], counts[False]


def address(secret: str, email: str, app_name: str) -> str:
    """Return the address that apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=app_name.replace(":", " "))


def _note(session: Session, verb: str, user: Account) -> None:
    """Note a change in the audit log, and in the security log, which is read as it is written."""
    audit.note(session, verb, user.email)
    log.info("%s: %r", verb, user.email)


def _digits(code: str) -> str:
    return "".join(code.split())


def _step_of(secret: str, code: str) -> int | None:
    """Return the step that a code belongs to, or None if it is wrong."""
    now, app = int(time.time()) // STEP_SECONDS, pyotp.TOTP(secret)
    steps = (now + apart for apart in STEPS_APART)
    return next((step for step in steps if hmac.compare_digest(app.generate_otp(step).encode(), code.encode())), None)


def _new_codes(session: Session, owner_id: int) -> list[str]:
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    session.execute(delete(RecoveryCode).where(RecoveryCode.owner_id == owner_id))
    session.add_all(RecoveryCode(owner_id=owner_id, digest=_digest(code)) for code in codes)
    return codes


def _new_code() -> str:
    groups = range(RECOVERY_GROUPS)
    return "-".join("".join(secrets.choice(RECOVERY_LETTERS) for _ in range(RECOVERY_GROUP)) for _ in groups)


def _digest(code: str) -> str:
    return digest_of("".join(letter for letter in code.lower() if letter in RECOVERY_LETTERS))


def _use_recovery_code(database: Database, user: Account, code: str) -> bool:
    mine = (RecoveryCode.owner_id == user.id) & (RecoveryCode.digest == _digest(code))
    with database.write() as session:
        if session.scalar(delete(RecoveryCode).where(mine).returning(RecoveryCode.owner_id)) is None:
            return False
        _note(session, "recovery code used", user)
    return True
