"""The web process while the database cannot be reached: each page says so, and live pages come back by themselves."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from flask import Flask
from gevent.socket import socketpair
from wsproto.events import CloseConnection

from jobs.runs.backend import Backend
from tests.support import databases
from tests.support.raw_page import RawPage
from tests.support.visitor import ORIGIN, Visitor, soup, the
from tests.support.waiting import PATIENCE_SECONDS
from webapp.live.socket import RESTART

READY = {"/healthz", "/readyz", "/login/code", "/reset/mail"}  # the last two as nobody has given a password or mails
CLIENT = {"/api/client.py"}
HANDSHAKE = {
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


@pytest.fixture
def away(ada: Visitor, backend: Backend) -> Iterator[Visitor]:
    """Somebody who has signed in, while the database is away."""
    ada.submit("reverse_text", text="before")
    backend.database.close()
    with databases.unreachable(backend.settings.data_dir):
        yield ada
    assert ada.get("/runs").status_code == HTTPStatus.OK, "it is back"


def addresses(app: Flask, method: str, for_programs: bool = False) -> set[str]:
    """Return the addresses that answer a method, with values where they take any."""
    values = {"name": "reverse_text", "task": "reverse_text", "filename": "icon.svg", "queue_name": "default"}
    values["form"] = "csv"
    found = set()
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if method in (rule.methods or ()) and not rule.websocket:
                names = {name: values.get(name, 1) for name in rule.arguments} | dict(rule.defaults or {})
                found.add(app.url_map.bind("localhost").build(rule.endpoint, names, method))
    return {address for address in found - READY - CLIENT if is_for_programs(address) == for_programs}


def is_for_programs(address: str) -> bool:
    return address.startswith("/api/") and not address.startswith("/api/docs")


def test_every_page_says_in_words_that_it_is_away_and_when_to_come_again(app: Flask, away: Visitor) -> None:
    answers = {address: away.get(address) for address in addresses(app, "GET") if not address.startswith("/static/")}
    assert len(answers) > 20
    for address, response in answers.items():
        assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE, address
        assert int(response.headers["Retry-After"]) > 0, address
        if address != "/live/changes":
            page = soup(response)
            assert "database is not responding" in the(page, ".lead").text, address
            assert "Log in" not in page.text, "nobody knows whether somebody is signed in"


def test_everything_that_changes_something_says_that_it_did_not(app: Flask, away: Visitor) -> None:
    for address in addresses(app, "POST"):
        response = away.post(address, {"email": "ada@example.com", "password": "correct horse battery staple"})
        assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE, address
        assert "Retry-After" in response.headers, address
        assert response.request.path.endswith("/check") or "not been saved" in response.text, address


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_program_is_told_when_to_retry(app: Flask, away: Visitor, method: str) -> None:
    headers = {"Authorization": "Bearer dw_any"}
    body = {"email": "ada@example.com", "password": "correct horse battery staple"}
    for address in addresses(app, method, for_programs=True):
        response = app.test_client().open(address, method=method, headers=headers, json=body)
        assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE, address
        assert response.mimetype == "application/problem+json", address
        assert int(response.headers["Retry-After"]) > 0, address
        assert "database" in response.get_json()["detail"], address


def test_what_a_page_asks_for_by_itself_shows_no_notice(away: Visitor) -> None:
    polled = away.get("/live/changes", headers={"HX-Request": "true"})
    checked = away.post("/tasks/reverse_text/check", {"text": "hello"}, HX_Request="true")
    asked = away.get("/runs", headers={"HX-Request": "true"})
    assert (polled.text, checked.text) == ("", "")
    assert soup(asked).select_one("hx-partial[hx-target='#notices'] .notice")


def test_the_process_says_that_it_is_alive_and_not_ready(away: Visitor) -> None:
    assert away.get("/healthz").status_code == HTTPStatus.OK
    response = away.get("/readyz")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json is not None
    assert response.json["database"] == "missing"


def test_a_page_that_connects_meanwhile_is_sent_away_to_come_back(away: Visitor) -> None:
    ours, theirs = socketpair()
    theirs.settimeout(PATIENCE_SECONDS)
    away.client.get("/live", headers=ORIGIN, environ_overrides={**HANDSHAKE, "werkzeug.socket": ours})
    (close,) = RawPage(theirs).read()
    assert isinstance(close, CloseConnection)
    assert close.code == RESTART
