"""Change the e-mail address of an account: the new one is proved by a link, and the old one is told."""

import secrets

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.runs import Backend, audit, mails, people, shares
from jobs.storage import Database, utcnow
from webapp.accounts import letters
from webapp.accounts.proofs import LIFETIME, SECRET_BYTES, AddressProof, NotProved, is_it
from webapp.accounts.resets import PasswordReset
from webapp.accounts.tokens import digest_of
from webapp.accounts.users import Account, EmailTaken


def begin(backend: Backend, user: Account, email: str) -> None:
    """Mail a link to a user's new address, in place of an earlier one, or tell the owner of an account that has it."""
    secret, settings = secrets.token_urlsafe(SECRET_BYTES), backend.settings
    with backend.database.write() as session:
        people.keep(session, user.id)
        other = session.scalar(select(Account).where(Account.email == email))
        session.execute(delete(AddressProof).where(AddressProof.owner_id == user.id))
        if other is None:
            proof = AddressProof(
                digest=digest_of(secret), email=email, owner_id=user.id, expires_at=utcnow() + LIFETIME
            )
            session.add(proof)
            letter = letters.change(settings, email, secret, LIFETIME)
        else:
            letter = letters.in_use(settings, other)
        mails.put(session, backend.vault, letter)
        audit.note(session, "address change begun", user.email, after={"email": email})


def proved(database: Database, user_id: int, secret: str) -> str | None:
    """Return the address that a user's link proves, or None if the link cannot be used by this user."""
    with database.read() as session:
        return session.scalar(select(AddressProof.email).where(is_it(secret), AddressProof.owner_id == user_id))


def change(backend: Backend, user: Account, secret: str) -> None:
    """Use a link up and change the address.

    Raises NotProved, and EmailTaken if the address has got an account meanwhile.
    """
    used = delete(AddressProof).where(is_it(secret), AddressProof.owner_id == user.id).returning(AddressProof.email)
    try:
        with backend.database.write() as session:
            account = session.get(Account, user.id, with_for_update=True)
            email = session.scalar(used)
            if account is None or email is None:
                raise NotProved
            _change(backend, session, account, email)
    except IntegrityError:
        raise EmailTaken from None


def change_by_administrator(backend: Backend, user: Account, email: str) -> None:
    """Change the address without a proof. Raises EmailTaken if it has an account."""
    try:
        with backend.database.write() as session:
            if account := session.get(Account, user.id, with_for_update=True):
                _change(backend, session, account, email)
    except IntegrityError:
        raise EmailTaken from None


def _change(backend: Backend, session: Session, account: Account, email: str) -> None:
    """Change the address, drop links that were mailed to the old one, and tell it."""
    old, account.email = account.email, email
    session.flush()
    session.execute(delete(PasswordReset).where(PasswordReset.owner_id == account.id))
    session.execute(delete(AddressProof).where(AddressProof.owner_id.is_(None), AddressProof.email == email))
    shares.claim(session, account.id, email)
    if backend.settings.mail_url:
        mails.put(session, backend.vault, letters.changed(backend.settings, old, email))
    audit.note(session, "address changed", old, {"email": old}, {"email": email})
