"""The mails about accounts: short plain texts in the application's name, with links to PUBLIC_URL."""

from datetime import timedelta

from config import Settings
from jobs.runs import Letter
from webapp.accounts import links
from webapp.accounts.users import Account

NOTICE_LIFETIME = timedelta(hours=24)  # of a mail without a link that expires

REGISTER = """\
Somebody, probably you, wants to create an account at {name} with this address.
To do so, open this link and choose a password:

{link}

The link works for {time}. If it wasn't you, ignore this mail.
"""
HAS_ACCOUNT = """\
Somebody, probably you, wants to create an account at {name} with this address.
You already have one. Log in:

{link}

If you forgot your password, choose "Forgot your password?" there.
If it wasn't you, ignore this mail.
"""
RESET = """\
Somebody, probably you, wants to set a new password for your account at {name}.
To do so, open this link:

{link}

The link works once, for {time}. If it wasn't you, ignore this mail: your password stays as it is.
"""
HANDED_OVER = """\
An administrator has made a link for you that sets a new password for your account at {name}:

{link}

It works once, for {time}. Your password stays as it is until then. If you did not ask for this, ask an administrator.
"""
INVITED = """\
You are invited to {name}. To create your account, open this link and {do}:

{link}

The invitation is for this address, and can be used for {time}. If you expected none, ignore this mail.
"""
CHANGE = """\
You want to use this address for your account at {name}.
To do so, open this link where you are logged in:

{link}

The link works for {time}. If it wasn't you, ignore this mail.
"""
IN_USE = """\
Somebody, probably you, wants to use this address for another account at {name}.
That is not possible while your account there has it. If it wasn't you, ignore this mail.
"""
CHANGED = """\
Your account at {name} has another address from now on: {email}.
Mails about it go there, and you log in with it.

If it wasn't you, tell an administrator at once.
"""


def register(settings: Settings, email: str, secret: str, lifetime: timedelta) -> Letter:
    """Return the mail with the link that proves the address of a new account."""
    text = REGISTER.format(name=settings.app_name, link=links.registration(settings, secret), time=_in_words(lifetime))
    return Letter(email, f"Create your account at {settings.app_name}", text, lifetime)


def has_account(settings: Settings, account: Account) -> Letter:
    """Return the mail for the owner of an account whose address somebody has tried to register."""
    text = HAS_ACCOUNT.format(name=settings.app_name, link=links.login(settings))
    return Letter(account.email, f"Your account at {settings.app_name}", text, NOTICE_LIFETIME, account.id)


def reset(settings: Settings, account: Account, secret: str, lifetime: timedelta) -> Letter:
    """Return the mail with the link that sets a new password."""
    text = RESET.format(name=settings.app_name, link=links.reset(settings, secret), time=_in_words(lifetime))
    return Letter(account.email, f"Set a new password for {settings.app_name}", text, lifetime, account.id)


def handed_over(settings: Settings, account: Account, secret: str, lifetime: timedelta) -> Letter:
    """Return the mail with the link that an administrator has made for somebody."""
    text = HANDED_OVER.format(name=settings.app_name, link=links.reset(settings, secret), time=_in_words(lifetime))
    return Letter(account.email, f"Set a new password for {settings.app_name}", text, lifetime, account.id)


def invitation(settings: Settings, email: str, secret: str, lifetime: timedelta) -> Letter:
    """Return the mail that invites somebody. Where the provider creates all accounts, they log in by it."""
    if settings.oidc_only:
        link, do = links.login(settings), f"log in with {settings.oidc_name}"
    else:
        link, do = links.invitation(settings, secret), "choose a password"
    text = INVITED.format(name=settings.app_name, link=link, do=do, time=_in_words(lifetime))
    return Letter(email, f"Your invitation to {settings.app_name}", text, lifetime)


def change(settings: Settings, email: str, secret: str, lifetime: timedelta) -> Letter:
    """Return the mail with the link that proves the new address of an account."""
    link = links.change_of_address(settings, secret)
    text = CHANGE.format(name=settings.app_name, link=link, time=_in_words(lifetime))
    return Letter(email, f"Your new address at {settings.app_name}", text, lifetime)


def in_use(settings: Settings, account: Account) -> Letter:
    """Return the mail for the owner of an account whose address somebody wants to use for another one."""
    text = IN_USE.format(name=settings.app_name)
    return Letter(account.email, f"Your account at {settings.app_name}", text, NOTICE_LIFETIME, account.id)


def changed(settings: Settings, old: str, new: str) -> Letter:
    """Return the mail that tells the old address of a new one. It is sent even if the account is deleted meanwhile."""
    text = CHANGED.format(name=settings.app_name, email=new)
    return Letter(old, f"Your address at {settings.app_name} was changed", text, NOTICE_LIFETIME)


def _in_words(lifetime: timedelta) -> str:
    hours = round(lifetime / timedelta(hours=1))
    if hours > 48:
        return f"{round(hours / 24)} days"
    return "an hour" if hours == 1 else f"{hours} hours"
