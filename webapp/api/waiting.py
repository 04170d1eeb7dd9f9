"""Waiting for a run to change: long polls and server-sent events.

Both begin like a page: subscribe, then read, then wait. A version that a client names is therefore never missed, and a
client that names none gets the run as it is.
"""

import json
import time
from collections.abc import Iterator

from flask import Response, request, stream_with_context

from jobs.runs import Run, owned
from webapp.accounts import tokens
from webapp.accounts.tokens import Caller
from webapp.api import messages, representations
from webapp.current import backend
from webapp.live import TooManyPages, Watcher, current_hub
from webapp.problems import refuse

LONGEST_SECONDS = 60
HEARTBEAT_SECONDS = 15.0
STREAM_SECONDS = 55.0  # ends before a proxy's usual time-out of 60 s does it
RETRY_MILLISECONDS = 1000
BUSY_SECONDS = "30"
EVENTS = "text/event-stream"


def changed(run: Run, caller: Caller, version: int, seconds: float) -> Run:
    """Return the run once its version differs from `version`, or as it is after so many seconds.

    End the request with 401 if the token is revoked meanwhile.
    """
    deadline = time.monotonic() + seconds
    watcher = Watcher(run.id, version)
    try:
        with current_hub().watching(run.owner_id, watcher):
            while True:
                run = _read(run)
                left = deadline - time.monotonic()
                if run.version != version or left <= 0 or watcher.leaving:
                    return run
                if watcher.wait(left) and not _still_allowed(caller):
                    refuse(401, messages.NOT_VALID, WWW_Authenticate="Bearer")
    except TooManyPages:
        refuse(503, messages.BUSY, Retry_After=BUSY_SECONDS)


def wants_events() -> bool:
    """Return whether the client asks for server-sent events."""
    return request.accept_mimetypes.best_match(["application/json", EVENTS]) == EVENTS


def events(run: Run, caller: Caller) -> Response:
    """Stream the run: an event for each version seen, with the version as its id.

    The stream ends when the run has ended, when its time is over, or when the token is not valid any more. A client
    that reconnects with the last version of a run that has ended gets 204, which ends reconnecting.
    """
    seen = request.headers.get("Last-Event-ID", "")
    if run.state.ended and seen == str(run.version):
        return Response(status=204)
    stream = stream_with_context(_events(run, caller, run.version if seen == str(run.version) else 0))
    return Response(stream, mimetype=EVENTS, headers={"X-Accel-Buffering": "no"})


def _events(run: Run, caller: Caller, version: int) -> Iterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    ends = time.monotonic() + STREAM_SECONDS
    watcher = Watcher(run.id, version)
    try:
        with current_hub().watching(run.owner_id, watcher):
            while time.monotonic() < ends and not watcher.leaving and _still_allowed(caller):
                run = _read(run)
                if run.version != watcher.version:
                    watcher.version = run.version
                    yield f"id: {run.version}\nevent: run\ndata: {json.dumps(representations.run(run))}\n\n"
                if run.state.ended:
                    return
                if not watcher.wait(min(HEARTBEAT_SECONDS, max(0.0, ends - time.monotonic()))):
                    yield ": still here\n\n"
    except TooManyPages:
        yield f"event: problem\ndata: {json.dumps({'detail': messages.BUSY})}\n\n"


def _still_allowed(caller: Caller) -> bool:
    return caller.token.id in tokens.still_valid(backend().database, [caller.token.id])


def _read(run: Run) -> Run:
    with backend().database.read() as session:
        return owned(session, run.owner_id, run.id) or run
