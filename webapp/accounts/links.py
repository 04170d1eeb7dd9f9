"""Links that are handed over outside the application: mailed, or printed by a command or at the start."""

from urllib.parse import urlencode

from config import Settings


def invitation(settings: Settings, secret: str) -> str:
    """Return the link that accepts an invitation."""
    return f"{_address(settings)}/register?{urlencode({'invitation': secret})}"


def reset(settings: Settings, secret: str) -> str:
    """Return the link that sets a new password."""
    return f"{_address(settings)}/reset?{urlencode({'link': secret})}"


def registration(settings: Settings, secret: str) -> str:
    """Return the link that proves the address of a new account."""
    return f"{_address(settings)}/register/confirm?{urlencode({'link': secret})}"


def change_of_address(settings: Settings, secret: str) -> str:
    """Return the link that proves the new address of an account."""
    return f"{_address(settings)}/account/address/confirm?{urlencode({'link': secret})}"


def login(settings: Settings) -> str:
    return f"{_address(settings)}/login"


def _address(settings: Settings) -> str:
    if settings.public_url:
        return f"{settings.public_url}{settings.url_prefix}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{settings.public_url or f'http://{host}:{settings.port}'}{settings.url_prefix}"
