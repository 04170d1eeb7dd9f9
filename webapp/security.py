"""What guards every door: the same-origin check, the headers, and cookies that follow the connection."""

from flask import Flask, Request, Response, abort, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

# rq-dashboard's pages carry inline scripts and compile their templates with `new Function`. They are for
# administrators only, show nothing that users write, and get the one exception.
DASHBOARD = "/admin/rq/"
DASHBOARD_POLICY = f"{POLICY}; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"


class ConnectionSessionInterface(SecureCookieSessionInterface):
    """Marks the session cookie Secure exactly when the request came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Leave the cookie as it is with what a browser is to keep for good.

        Every answer renews it and says that it varies with it: nothing that was kept would ever be used.
        """
        if session.modified or not response.cache_control.immutable:
            super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    app.session_interface = ConnectionSessionInterface()
    app.before_request(refuse_other_origins)
    app.after_request(set_headers)


def refuse_other_origins() -> None:
    """Refuse what another site's page makes a browser send: unsafe requests, and sockets of any kind.

    Browsers say where a request comes from and pages cannot forge it: `Sec-Fetch-Site`, and in older ones `Origin`.
    An unsafe request that says neither does not come from a page of ours. A WebSocket's handshake is a GET that no
    browser blocks across origins, so it is held to the same rule.
    """
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    if (request.method not in SAFE_METHODS or is_socket) and not comes_from_here(request):
        abort(
            403,
            description="This request did not come from this site. Reload the page and try again.",
        )


def comes_from_here(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    _scheme, _, host = request.headers.get("Origin", "").partition("://")
    return bool(host) and host.lower() == request.host.lower()


def set_headers(response: Response) -> Response:
    dashboard = request.path.startswith(DASHBOARD)
    headers = response.headers
    headers.setdefault("Content-Security-Policy", DASHBOARD_POLICY if dashboard else POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response


def local_path(target: str | None) -> str:
    """The target when it is a path on this site, otherwise the start page.

    Browsers read `//host`, `/\\host` and control characters in ways that lead elsewhere.
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return "/"
    if "\\" in target or any(ord(character) < 33 or ord(character) == 127 for character in target):
        return "/"
    return target
