"""`flask admin ...`: who is an administrator."""

import click
from flask.cli import AppGroup

from webapp import users
from webapp.current import backend

admin = AppGroup("admin", help="Decide who may see the queue's dashboard.")


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


def _set(email: str, is_admin: bool) -> None:
    address = users.normalised(email)
    if address is None or not users.set_admin(backend().database, address, is_admin):
        raise click.ClickException(f"There is no account with the address {email}; register it first.")
    click.echo(f"{address} is {'now' if is_admin else 'no longer'} an administrator.")
