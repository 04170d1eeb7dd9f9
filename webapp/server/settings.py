"""What the settings of a process that serves pages need beside those of a worker."""

import config
from config import ConfigError, Settings
from webapp.rendering.look import look_of


def load_to_serve() -> Settings:
    """Read the settings of a process that serves pages. Raises ConfigError, too, if they do not suffice for that."""
    settings = config.load()
    if problem := why_not_served(settings):
        raise ConfigError(problem)
    return settings


def why_not_served(settings: Settings) -> str | None:
    """Return why pages are not served with these settings: in production a site has to know where its visitors come."""
    if settings.production and not (settings.public_url or settings.allowed_hosts):
        return (
            "PUBLIC_URL: must be set in production to the address of the site, such as https://dumbwaiter.example.com"
        )
    if settings.insists_on_tls and not settings.trusted_proxies:
        return (
            "TRUSTED_PROXIES: must be set in production to the number of proxies in front, 1 on most platforms: one of "
            "them has to speak https. For a site without https, write http:// in PUBLIC_URL."
        )
    try:
        look_of(settings)
    except ConfigError as error:
        return str(error)
    return None
