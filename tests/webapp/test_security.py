"""The guards at every door."""

import io
import logging
import re
import sys

import pytest
from flask import Flask
from sqlalchemy import event

from jobs.logs import FORMAT, OneLine, write_one_line
from jobs.runs.backend import Backend
from tests.support.visitor import PASSWORD, Visitor
from webapp.accounts import users


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "localhost"}, 403),
        ({}, 403),
    ],
)
def test_an_unsafe_request_must_come_from_a_page_of_ours(
    visitor: Visitor, headers: dict[str, str], status: int
) -> None:
    data = {"email": "origin@example.com", "password": PASSWORD}
    assert visitor.client.post("/register", data=data, headers=headers).status_code == status


def test_every_page_has_the_strict_policy(ada: Visitor) -> None:
    for path in ("/", "/tasks/reverse_text", "/runs", "/nowhere", "/static/js/live.js"):
        headers = ada.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_pages_are_not_kept_by_caches_except_for_the_way_back(ada: Visitor) -> None:
    run = ada.submit("reverse_text", text="a")
    for path in ("/", "/runs", "/tasks/reverse_text", f"/runs/{run}"):
        response = ada.get(path)
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert "Cookie" in response.headers["Vary"]
        assert "Set-Cookie" in response.headers  # the session is renewed as with every page
        assert ada.get(path, headers={"HX-Request": "true"}).headers["Cache-Control"] == "no-store"
    for path in ("/account", "/login", "/runs/0", "/live/changes"):
        assert ada.get(path).headers["Cache-Control"] == "no-store"


def test_what_is_too_large_is_refused_with_words(ada: Visitor) -> None:
    response = ada.post("/tasks/reverse_text", {"text": "x" * 2_000_000})
    assert response.status_code == 413
    assert "too large" in response.text


def test_static_answers_set_no_cookie_whoever_asks_and_whatever_for(app: Flask, backend: Backend, ada: Visitor) -> None:
    users.set_admin(backend.database, ada.email, True)
    stranger = Visitor(app)
    stranger.client.set_cookie("dumbwaiter", "forged")
    for visitor in (ada, stranger):
        for path in ("/static/js/live.js", "/static/js/live.js?v=0", "/static/none", "/static/css/base.css"):
            assert "Set-Cookie" not in visitor.get(path).headers, path
    for path in ("/admin/rq/static/css/main.css", "/admin/rq/static/none", "/admin/rq/favicon.ico"):
        assert "Set-Cookie" not in ada.get(path).headers, path


def test_logging_out_clears_what_the_browser_keeps(ada: Visitor) -> None:
    response = ada.post("/logout")
    assert '"cache"' in response.headers["Clear-Site-Data"]
    assert response.headers["Cache-Control"] == "no-store"


def test_nothing_is_written_by_reading(app: Flask, backend: Backend, ada: Visitor) -> None:
    """Ask every address by GET, also for examples, as a user and as an administrator, and look at every statement."""
    users.set_admin(backend.database, ada.email, True)
    values = {"name": "count_words", "run_id": str(ada.submit("reverse_text", text="a")), "filename": "js/live.js"}
    written: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA", "BEGIN", "WITH")):
            written.append(statement)

    engine = backend.database.engine
    event.listen(engine, "before_cursor_execute", look)
    keys = set(backend.redis.keys())
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.websocket:
            continue
        path = rule.build({one: values.get(one, "0") for one in rule.arguments})
        assert path
        for query in ("", "?example=1", "?needs=A&run=1&state=queued"):
            ada.get(path[1] + query)
            if rule.endpoint.startswith("links."):  # a guess of a link's secret is counted, as of a password
                written[:] = [one for one in written if "login_failures" not in one]
            assert written == [], path
    event.remove(engine, "before_cursor_execute", look)
    assert set(backend.redis.keys()) == keys
    assert not list(backend.settings.files.rglob("*"))


def test_a_log_line_cannot_be_forged() -> None:
    record = logging.makeLogRecord({"msg": "could not read %s", "args": ("a\r\nERROR forged\x1b[2K\u2028x",)})
    try:
        raise ValueError("no\nERROR forged\rx")
    except ValueError:
        record.exc_info = sys.exc_info()
    lines = re.split("[\r\n\u2028]", OneLine(FORMAT).format(record))
    assert not [line for line in lines[1:] if line[:4].strip()]
    assert not re.search("[\r\x1b\u2028]", "".join(lines))


def test_a_library_that_writes_its_own_log_escapes_it_too() -> None:
    logger, written = logging.Logger("gunicorn.error"), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger.addHandler(handler)
    write_one_line(logger)
    logger.warning("invalid header %s", "a\r\nlogged in: boss@example.com")
    assert written.getvalue() == "[WARNING] invalid header a\\r\\nlogged in: boss@example.com\n"
