"""`flask admin ...`: who is an administrator, and who may sign in."""

from collections.abc import Callable

import click
from flask.cli import AppGroup

from jobs.runs import events
from webapp.accounts import users
from webapp.accounts.users import User
from webapp.current import backend

admin = AppGroup("admin", help="Decide who may see the queue's dashboard and who may sign in; renew secrets.")


@admin.command("grant")
@click.argument("email")
def grant(email: str) -> None:
    """Make the user with this e-mail address an administrator."""
    _set(email, True)


@admin.command("revoke")
@click.argument("email")
def revoke(email: str) -> None:
    """Make the user with this e-mail address an ordinary user again."""
    _set(email, False)


@admin.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Keep a user out: their pages close, and their runs go on."""
    user = _found(email, lambda address: users.set_active(backend().database, address, False))
    events.publish_sign_out(backend().redis, user.id)
    click.echo(f"{user.email} cannot sign in any more.")


@admin.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let a user sign in again."""
    user = _found(email, lambda address: users.set_active(backend().database, address, True))
    click.echo(f"{user.email} can sign in.")


@admin.command("renew-secrets")
def renew_secrets() -> None:
    """Encrypt all users' secrets with SECRET_KEY, those that SECRET_KEY_PREVIOUS opens too."""
    renewed, lost = backend().vault.renew()
    click.echo(f"{renewed} are encrypted with SECRET_KEY.")
    if lost:
        raise click.ClickException(f"{lost} can be read with neither key; their users have to enter them again.")


def _set(email: str, is_admin: bool) -> None:
    user = _found(email, lambda address: users.set_admin(backend().database, address, is_admin))
    click.echo(f"{user.email} is {'now' if is_admin else 'no longer'} an administrator.")


def _found(email: str, change: Callable[[str], User | None]) -> User:
    address = users.normalised(email)
    user = change(address) if address else None
    if user is None:
        raise click.ClickException(f"There is no account with the address {email}; register it first.")
    return user
