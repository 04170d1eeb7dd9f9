"""The hosts that the application answers for, and the scheme that production insists on."""

from urllib.parse import urlsplit

from flask import Flask, abort, request

from webapp import messages
from webapp.current import backend

PROBES = frozenset({"health.healthz", "health.readyz"})  # asked by machines, by any address and without TLS


def init_app(app: Flask) -> None:
    app.before_request(refuse_other_hosts)
    app.before_request(refuse_plain_http)


def refuse_other_hosts() -> None:
    """Reject requests that name a host which is not ours.

    Such a name could be put into links and redirects, and one that was made to lead here could act as this site in a
    browser (DNS rebinding).
    """
    if request.endpoint not in PROBES and _name(request.host) not in backend().settings.hosts:
        abort(400, description=messages.OTHER_HOST)


def refuse_plain_http() -> None:
    """Reject requests that came without TLS where the site is served with it: passwords and cookies would be read."""
    if request.endpoint not in PROBES and not request.is_secure and backend().settings.insists_on_tls:
        abort(403, description=messages.PLAIN_HTTP)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
