"""Waiting for a run to change: long polls and server-sent events.

Both begin like a page: subscribe, then read, then wait. A version that a client names is therefore never missed, and a
client that names none gets the run as it is. While they wait, the connection is all that remains of the request. In the
end it is answered as a plain GET of the run would be at that moment, so its token, scopes and user count as they are
then.
"""

import contextvars
import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn, cast

from flask import Flask, Response, current_app, request, stream_with_context
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import http_date

from jobs.runs import Run, State, rights
from webapp.accounts import tokens
from webapp.accounts.tokens import Caller
from webapp.api import messages, representations
from webapp.current import backend, backend_of
from webapp.live import HeldConnection, Sleeper, TooManyPages, Watcher, current_hub, outdated, refused
from webapp.problems import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

LONGEST_SECONDS = 60
HEARTBEAT_SECONDS = 15.0
STREAM_SECONDS = 55.0  # ends before a proxy's usual time-out of 60 s does it
BUSY_SECONDS = "30"
EVENTS = "text/event-stream"
RETRY, HEARTBEAT = b"retry: 1000\n\n", b": still here\n\n"
# What is kept of a request to answer it later.
KEPT = (
    *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"),
    *("wsgi.url_scheme", "REMOTE_ADDR", "HTTP_HOST", "HTTP_AUTHORIZATION"),
)


def wants_events() -> bool:
    """Return whether the client asks for server-sent events."""
    return request.accept_mimetypes.best_match(["application/json", EVENTS]) == EVENTS


def poll(run: Run, caller: Caller, seconds: float) -> Response:
    """Answer as soon as the run has another version than now, or with the run as it is after so many seconds."""
    if _can_be_held():
        return Held(Poll(run, caller, run.version, seconds))
    try:
        next(filter(None, versions(run, caller, run.version, seconds)), None)
    except TooManyPages:
        _refuse_busy()
    return _plain_response(_app(), _kept_of_request())


def events(run: Run, caller: Caller) -> Response:
    """Stream the run: an event for each version seen, with the version as its id.

    The stream ends when the run has ended, when its time is over, or when the token is not valid any more. A client
    that reconnects with the last version of a run that has ended gets 204, which ends reconnecting.
    """
    seen = request.headers.get("Last-Event-ID", "")
    if run.state.ended and seen == str(run.version):
        return Response(status=HTTPStatus.NO_CONTENT)
    version = run.version if seen == str(run.version) else 0
    held = Held(Stream(run, caller, version, STREAM_SECONDS)) if _can_be_held() else None
    response = held or Response(stream_with_context(_streamed(run, caller, version)))
    response.mimetype = EVENTS
    response.headers["X-Accel-Buffering"] = "no"
    return response


def versions(run: Run, caller: Caller, version: int, seconds: float = STREAM_SECONDS) -> Iterator[Run | None]:
    """Wait in this thread: yield the run at each version seen other than `version`, and None at each heartbeat.

    End with the run, after so many seconds, or when the token is not valid any more. Raises TooManyPages.
    """
    ends = time.monotonic() + seconds
    watcher, hub = Sleeper(run.id, version, caller.token.id), current_hub()
    hub.watch(run.owner_id, watcher)
    try:
        while not watcher.leaving and not refused(backend().database, [watcher]):
            seen = _read(run, caller)
            if seen is None:  # deleted, or not shared any more
                return
            run = seen
            if run.version != watcher.version:
                watcher.version = run.version
                yield run
            if run.state.ended or time.monotonic() >= ends:
                return
            if not watcher.sleep(min(HEARTBEAT_SECONDS, max(0.0, ends - time.monotonic()))):
                yield None
    finally:
        hub.unwatch(run.owner_id, watcher)


def still_allowed(caller: Caller) -> bool:
    """Return whether the caller's token is still valid."""
    return caller.token.id in tokens.still_valid(backend().database, [caller.token.id])


def _read(run: Run, caller: Caller) -> Run | None:
    with backend().database.read() as session:
        return rights.see(session, caller.account.id, run.id)


def _streamed(run: Run, caller: Caller, version: int) -> Iterator[bytes]:
    yield RETRY
    for seen in versions(run, caller, version):
        yield _event(representations.run(seen)) if seen else HEARTBEAT


def _event(run: dict[str, Any]) -> bytes:
    return f"id: {run['version']}\nevent: run\ndata: {json.dumps(run)}\n\n".encode()


def _can_be_held() -> bool:
    return "gunicorn.socket" in request.environ


def _app() -> Flask:
    return cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]  # of a proxy


def _kept_of_request() -> dict[str, str]:
    return {name: sys.intern(request.environ[name]) for name in KEPT if name in request.environ}


def _plain_response(app: Flask, kept: dict[str, str]) -> Response:
    """Return the response to a plain GET, made in a context of its own."""

    def respond() -> Response:
        rest = {"QUERY_STRING": "", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        with app.request_context({**kept, **rest}):
            return app.full_dispatch_request()

    return contextvars.Context().run(respond)


def _refuse_busy() -> NoReturn:
    refuse(503, messages.BUSY, Retry_After=BUSY_SECONDS)


class Wait(Watcher):
    """A program's wait for a run, which begins when it is made; it is `over` once there is nothing more to send.

    It ends the request with 503 if too many wait.
    """

    beat = b""
    beat_seconds = float(LONGEST_SECONDS)

    def __init__(self, run: Run, caller: Caller, version: int, seconds: float) -> None:
        super().__init__(run.id, version, caller.token.id)
        self.over = False
        self._owner_id = run.owner_id
        self._app = _app()
        self._hub = current_hub()
        self._environ = _kept_of_request()
        self._ends_at = time.monotonic() + seconds
        self._wake: Callable[[], object] = _nobody
        try:
            self._hub.watch(self._owner_id, self)
        except TooManyPages:
            _refuse_busy()

    @property
    def left(self) -> float:
        """The seconds that remain; 0 if the time is over or this process is about to stop."""
        return 0.0 if self.leaving else max(0.0, self._ends_at - time.monotonic())

    def end(self) -> None:
        self.over = True
        self._hub.unwatch(self._owner_id, self)

    def wake(self) -> None:
        self._wake()

    def hold(self, environ: "WSGIEnvironment", response: Response) -> None:
        """Take the request's connection over from the web server."""
        connection = HeldConnection(environ["gunicorn.socket"], self)
        self._wake = connection.wake
        if begin := self.beginning(response):
            connection.send(begin)
        connection.wake()

    def beginning(self, response: Response) -> bytes:
        """Return what is sent at once."""
        return b""

    def next_chunk(self) -> bytes:
        """Return the bytes to send now, if any."""
        raise NotImplementedError

    def news(self) -> Response | None:
        """Return the response with the run as it is now, or the reason against it; None while it has not changed."""
        database = backend_of(self._app).database
        try:
            if not (outdated(database, [self]) or refused(database, [self])):
                return None
        except SQLAlchemyError:
            log.debug("cannot look at run %d; the response will say so", self.run_id, exc_info=True)
        return self.response()

    def response(self) -> Response:
        """Return the response to a plain GET."""
        return _plain_response(self._app, self._environ)

    def raw(self, response: Response, body: bool = True) -> bytes:
        """Return a response as it is sent, with or without its body."""
        headers = [*response.get_wsgi_headers(self._environ), ("Date", http_date()), ("Connection", "close")]
        lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        rest = b"".join(response.get_app_iter(self._environ)) if body else b""
        return "\r\n".join(lines).encode("latin-1") + rest


class Poll(Wait):
    """A long poll: the response comes when the wait is over."""

    def next_chunk(self) -> bytes:
        response = self.news() if self.left else self.response()
        self.over = response is not None
        return self.raw(response) if response else b""


class Stream(Wait):
    """A stream of events, one for each version seen."""

    beat = HEARTBEAT
    beat_seconds = HEARTBEAT_SECONDS

    def beginning(self, response: Response) -> bytes:
        return self.raw(response, body=False) + RETRY

    def next_chunk(self) -> bytes:
        self.over = not self.left
        response = self.news()
        if response is None:
            return b""
        if response.status_code != HTTPStatus.OK:
            self.over = True
            return b""
        run: dict[str, Any] = response.get_json()
        self.over = self.over or State(run["state"]).ended
        if run["version"] == self.version:
            return b""
        self.version = run["version"]
        return _event(run)


class Held(Response):
    """The response to a request whose connection its wait takes over from gunicorn."""

    automatically_set_content_length = False

    def __init__(self, wait: Wait) -> None:
        super().__init__()
        self._wait = wait

    def __call__(self, environ: "WSGIEnvironment", _start_response: "StartResponse") -> Iterable[bytes]:
        self._wait.hold(environ, self)
        raise StopIteration  # gunicorn forgets the connection


def _nobody() -> None:
    """Wake nobody, because the wait has not begun; it looks when it does."""
