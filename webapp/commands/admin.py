"""`flask admin ...` and `flask invite`: manage administrators, accounts and the encryption of secrets."""

import getpass
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import Actor, Role, audit, events, groups
from jobs.storage import unusable
from webapp.accounts import addresses, invitations, links, resets, second_factors, users
from webapp.accounts.invitations import Offer
from webapp.accounts.users import Account, EmailTaken
from webapp.current import backend

LEAST_WEIGHT, MOST_WEIGHT = 0.01, 100


class OnDatabase(click.Command):
    """A command that ends with one line when the database cannot be used; the audit log names who runs it."""

    def invoke(self, ctx: click.Context) -> Any:
        audit.who_acts.set(lambda: Actor(f"flask, as {getpass.getuser()}"))
        try:
            return super().invoke(ctx)
        except SQLAlchemyError as error:
            raise click.ClickException(unusable(error)) from None


class DatabaseGroup(OnDatabase, AppGroup):
    """Commands that end with one line when the database cannot be used."""


admin = DatabaseGroup("admin", help="Manage administrators and accounts, and re-encrypt secrets.")


@admin.command("grant")
@click.argument("email")
def grant(email: str) -> None:
    """Make a user an administrator, who can see the queue's dashboard."""
    _set(email, True)


@admin.command("revoke")
@click.argument("email")
def revoke(email: str) -> None:
    """Remove a user's administrator rights."""
    _set(email, False)


@admin.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account and sign its user out. Their runs continue."""
    user = _found(email, lambda address: users.set_active(backend().database, address, False))
    events.publish_sign_out(backend().redis, user.id)
    click.echo(f"{user.email} can no longer sign in.")


@admin.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Enable a disabled account, so that its user can sign in again."""
    user = _found(email, lambda address: users.set_active(backend().database, address, True))
    click.echo(f"{user.email} can sign in again.")


@admin.command("weight")
@click.argument("email")
@click.argument("weight", type=float)
def set_weight(email: str, weight: float) -> None:
    """Set a user's share of the workers' time while others have runs waiting, too. It is 1 at first."""
    if not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        raise click.BadParameter(f"give a number from {LEAST_WEIGHT} to {MOST_WEIGHT}", param_hint="WEIGHT")
    user = _found(email, lambda address: users.set_weight(backend().database, address, weight))
    click.echo(f"{user.email} now has weight {weight:g}.")


@admin.command("reset-link")
@click.argument("email")
def reset_link(email: str) -> None:
    """Print, and mail, a link with which a user sets a new password, once, within a day."""
    user = _found(email, lambda address: users.with_email(backend().database, address))
    click.echo(links.reset(backend().settings, resets.create(backend(), user.id)))


@admin.command("change-address")
@click.argument("email")
@click.argument("new")
def change_address(email: str, new: str) -> None:
    """Change a user's e-mail address, after you have made sure that the new one is theirs."""
    address = users.normalised(new)
    if address is None:
        raise click.ClickException(f"{new} is not an e-mail address.")
    user = _found(email, lambda old: users.with_email(backend().database, old))
    try:
        addresses.change_by_administrator(backend(), user, address)
    except EmailTaken:
        raise click.ClickException(f"{address} has an account.") from None
    click.echo(f"{user.email} is now {address}.")


@admin.command("reset-2fa")
@click.argument("email")
def reset_2fa(email: str) -> None:
    """Turn off the second factor of a user who has lost it, and end their sessions."""
    user = _found(email, lambda address: users.with_email(backend().database, address))
    if not second_factors.turn_off(backend().database, user, is_lost=True):
        raise click.ClickException(f"{user.email} has no two-factor sign-in.")
    events.publish_sign_out(backend().redis, user.id)
    click.echo(f"{user.email} can sign in with the password alone.")


@admin.command("renew-secrets")
def renew_secrets() -> None:
    """Re-encrypt the secrets of users, of runs and of webhooks with SECRET_KEY, also those of SECRET_KEY_PREVIOUS."""
    vault = backend().vault
    (secrets, lost), (runs, lost_runs) = vault.renew(), vault.renew_parameters()
    hooks, lost_hooks = vault.renew_webhooks()
    factors, lost_factors = second_factors.renew_secrets(backend())
    click.echo(f"Secrets encrypted with SECRET_KEY: {secrets}.")
    click.echo(f"Runs with secret parameters encrypted with SECRET_KEY: {runs}.")
    click.echo(f"Webhooks with secrets encrypted with SECRET_KEY: {hooks}.")
    click.echo(f"Second factors encrypted with SECRET_KEY: {factors}.")
    if lost or lost_runs or lost_hooks or lost_factors:
        raise click.ClickException(
            f"Secrets that neither key decrypts: {lost}. Runs with such parameters: {lost_runs}. "
            f"Webhooks with such secrets: {lost_hooks}. Second factors: {lost_factors}. "
            "Their users must enter the secrets again; for second factors, use flask admin reset-2fa."
        )


@click.command(cls=OnDatabase)
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.MEMBER.value, show_default=True)
@click.option("--administrator", "role", flag_value=Role.ADMINISTRATOR.value, help="The same as --role administrator.")
@click.option("--group", "names", multiple=True, help="A group that the person will belong to. Repeat it for more.")
@click.option("--days", type=click.IntRange(1, 365), default=invitations.LIFETIME.days, show_default=True)
@with_appcontext
def invite(email: str, role: str, names: tuple[str, ...], days: int) -> None:
    """Print, and mail, a link with which a person creates an account, once."""
    address = users.normalised(email)
    if address is None:
        raise click.ClickException(f"{email} is not an e-mail address.")
    if backend().settings.registers == "closed":
        raise click.ClickException("REGISTRATION is closed, so nobody can accept an invitation. Set it to invite.")
    offer = Offer(Role(role), _ids_of(names))
    try:
        secret = invitations.create(backend(), address, offer, lifetime=timedelta(days=days))
    except EmailTaken:
        raise click.ClickException(f"{address} has an account.") from None
    click.echo(links.invitation(backend().settings, secret))


@click.group("audit")
def audit_log() -> None:
    """Check the audit log."""


@audit_log.command("verify", cls=OnDatabase)
@with_appcontext
def verify() -> None:
    """Follow the chain of the audit log's entries, and print how many there are and the digest of the last."""
    count, digest, broken = audit.verify(backend().database)
    if broken is not None:
        raise click.ClickException(f"Entry {broken} does not follow the {count:,} before it: something was changed.")
    click.echo(f"{count:,} entries, all unchanged. The last digest is {digest or 'none'}; keep it elsewhere.")


def _ids_of(names: Collection[str]) -> list[int]:
    known = {name: group for group, name in groups.names(backend().database).items()}
    if unknown := [name for name in names if name not in known]:
        raise click.ClickException(
            f"There is no group {unknown[0]!r}. The groups are: {', '.join(known) or 'none yet'}."
        )
    return [known[name] for name in names]


def _set(email: str, is_admin: bool) -> None:
    user = _found(email, lambda address: users.set_admin(backend().database, address, is_admin))
    click.echo(f"{user.email} is {'now' if is_admin else 'no longer'} an administrator.")


def _found(email: str, change: Callable[[str], Account | None]) -> Account:
    address = users.normalised(email)
    user = change(address) if address else None
    if user is None:
        raise click.ClickException(f"No account found for {email}. Register it first.")
    return user
