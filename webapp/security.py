"""Request security: the same-origin check, response headers and the Secure cookie flag."""

from flask import Flask, Request, Response, abort, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from webapp import messages
from webapp.current import is_for_api, is_from_a_program

COOKIE = "dumbwaiter"
STATIC = frozenset({"static", "rq_dashboard.static", "rq_dashboard.favicon"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Pages that people leave and come back to. The browser may keep them for the way back, until the cookie changes.
RETURNED_TO = frozenset({"tasks.index", "tasks.show", "runs.index", "runs.show"})

POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

# rq-dashboard's pages contain inline scripts and compile their templates with `new Function`. They are restricted to
# administrators and show no user content, so they are the only exception.
DASHBOARD = "/admin/rq/"
DASHBOARD_POLICY = f"{POLICY}; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"


class ConnectionSessionInterface(SecureCookieSessionInterface):
    """A session interface that names the cookie and marks it Secure as the request's connection allows.

    Over TLS the name's prefix keeps other hosts, and connections without TLS, from setting the cookie. `__Host-` is for
    whole sites alone, so below a path, where the cookie is kept from other applications, it is `__Secure-`.
    """

    def get_cookie_name(self, app: Flask) -> str:
        kind = "" if not request.is_secure else "__Secure-" if request.script_root else "__Host-"
        return f"{kind}{COOKIE}"

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save the session, but not with static files, nor with responses that caches may keep unless it was modified.

        Renewing the cookie adds `Vary: Cookie`, so the browser would never reuse its cached copy. A shared cache might
        even hand the cookie to somebody else.
        """
        if is_for_api() or request.endpoint in STATIC:
            return
        kept_as_file = not (response.cache_control.no_store or response.cache_control.no_cache)
        if session.modified or not kept_as_file:
            super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    app.session_interface = ConnectionSessionInterface()
    app.before_request(refuse_other_origins)
    app.after_request(set_headers)


def refuse_other_origins() -> None:
    """Reject unsafe requests and WebSocket handshakes that other sites trigger (CSRF).

    Browsers report the origin of a request in `Sec-Fetch-Site`, older ones in `Origin`, and pages cannot forge these
    headers. An unsafe request without either is rejected. A WebSocket handshake is a GET request, and browsers do not
    apply the same-origin policy to it, so it is checked as well. The API reads no cookies, so a page of another site
    gains nothing by calling it. Nor does it by an address under `/api` that no view answers.
    """
    if is_for_api() or (is_from_a_program() and request.endpoint is None):
        return
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    if (request.method not in SAFE_METHODS or is_socket) and not comes_from_here(request):
        abort(403, description=messages.FOREIGN_REQUEST)


def comes_from_here(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    scheme = "https" if request.is_secure else "http"
    return request.headers.get("Origin", "").lower() == f"{scheme}://{request.host}".lower()


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
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "private, no-cache" if _is_returned_to(response) else "no-store")
    return response


def _is_returned_to(response: Response) -> bool:
    """Return whether the browser may show a page again when its reader goes back to it.

    With `no-store` it could not keep the page in memory, with its scroll position and what was typed. Logging out
    clears what it keeps, and `Vary: Cookie` has it ask again once somebody else, or nobody, is signed in.
    """
    is_page = request.method == "GET" and "HX-Request" not in request.headers
    return is_page and response.status_code == 200 and request.endpoint in RETURNED_TO


def local_path(target: str | None, prefix: str = "") -> str:
    """Return the target if it is a path below the prefix, otherwise the start page (prevents open redirects).

    Browsers resolve `//host`, `/\\host` and paths with control characters to other sites.
    """
    start = f"{prefix}/"
    if not target or not target.startswith(start) or target.startswith("//"):
        return start
    if "\\" in target or any(ord(character) < 33 or ord(character) == 127 for character in target):
        return start
    return target
