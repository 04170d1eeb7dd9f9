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


def _in_words(lifetime: timedelta) -> str:
    hours = round(lifetime / timedelta(hours=1))
    return "an hour" if hours == 1 else f"{hours} hours"
