"""Who sends a request, for the entries of the audit log that it leads to."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, g, request
from flask_login import current_user

from jobs.runs import Actor, audit


def init_app(app: Flask) -> None:
    app.before_request(begin)
    app.teardown_request(end)


def begin() -> None:
    """Record the sender of this request as the actor of its entries."""
    g.request_id = secrets.token_hex(8)
    audit.who_acts.set(_actor)


def end(_error: BaseException | None) -> None:
    audit.who_acts.set(audit.nobody)


@contextmanager
def in_the_name_of(name: str) -> Iterator[None]:
    """Note what is changed here as done by somebody else than who sends the request, who is not known yet."""
    token = audit.who_acts.set(lambda: Actor(name, request.remote_addr or "", g.request_id))
    try:
        yield
    finally:
        audit.who_acts.reset(token)


def _actor() -> Actor:
    user = g.get("signing_in") or current_user
    name = user.email if user.is_authenticated else "a visitor"
    return Actor(name, request.remote_addr or "", g.request_id)
