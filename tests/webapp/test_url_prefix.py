"""The application below a path, beside others on the same site."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import TestResponse

from config import OWN_ADDRESSES
from jobs.runs.backend import Backend
from jobs.runs.run import State
from tests.support.people import make_run, note_file, owner_id
from tests.support.visitor import ORIGIN, PASSWORD, Visitor
from webapp import create_app
from webapp.accounts import users
from webapp.live.snapshot import difference, take_snapshot
from webapp.rendering.listings import Listing

PREFIX = "/tools/dumbwaiter"
WITH_ADDRESSES = ("href", "src", "action", "hx-get", "hx-post", "hx-ws:connect", "data-icon")


@pytest.fixture
def app(backend: Backend) -> Flask:
    settings = backend.settings.model_copy(update={"url_prefix": PREFIX})
    return create_app(replace(backend, settings=settings))


def addresses(html: str) -> list[str]:
    """Return all addresses that lead away from a page."""
    page = BeautifulSoup(html, "html.parser")
    found = [str(tag[name]) for name in WITH_ADDRESSES for tag in page.select(f"[{name.replace(':', chr(92) + ':')}]")]
    return [address for address in found if not address.startswith("#")]


def elsewhere(found: Iterable[str]) -> list[str]:
    return [address for address in found if not address.startswith(f"{PREFIX}/")]


def arriving_whole(visitor: Visitor, path: str, **options: Any) -> TestResponse:
    """Ask as through a proxy that leaves the address as it is; by default the test client takes the prefix off."""
    return visitor.client.open(PREFIX + path, base_url="http://localhost", **options)


def test_every_address_on_every_page_is_below_the_prefix(app: Flask, backend: Backend, ada: Visitor) -> None:
    users.set_admin(backend.database, ada.email, True)
    owner = owner_id(backend, ada.email)
    table = make_run(backend, owner, state=State.SUCCEEDED, result=[{"a": 1}, {"a": 2}]).id
    failed = make_run(backend, owner, state=State.FAILED, error_kind="RuntimeError", error_message="no").id
    waiting = make_run(backend, owner).id
    runs = [f"/runs/{run}" for run in (table, failed, waiting)]
    for path in ("/", "/tasks/reverse_text", "/tasks/count_words", "/runs", *runs, "/account", "/api/docs", "/nowhere"):
        for response in (ada.get(path), arriving_whole(ada, path)):
            found = addresses(response.text)
            assert len(found) >= 20, path
            assert elsewhere(found) == [], path
    assert elsewhere(addresses(arriving_whole(Visitor(app), "/login").text)) == []
    dashboard = addresses(ada.get("/admin/rq/").text)
    assert f"{PREFIX}/admin/rq/0/view/queues" in dashboard
    assert elsewhere(address for address in dashboard if address.startswith("/")) == []


def test_pushed_fragments_have_the_prefix_without_a_request(app: Flask, backend: Backend, ada: Visitor) -> None:
    owner = owner_id(backend, ada.email)
    run = make_run(backend, owner, state=State.SUCCEEDED, result="done")
    note_file(backend, run.id, b"a picture")
    make_run(backend, owner)
    with app.app_context():
        for run_id in (None, run.id):
            found = addresses(difference(None, take_snapshot(backend.database, Listing(owner, run_id=run_id), None)))
            assert found
            assert elsewhere(found) == []


def test_every_redirect_leads_below_the_prefix(app: Flask, ada: Visitor) -> None:
    visitor = Visitor(app)
    signing_in = arriving_whole(visitor, "/runs?state=failed").headers["Location"]
    assert signing_in == f"{PREFIX}/login?next={PREFIX}/runs%3Fstate%3Dfailed"
    data = {"email": ada.email, "password": PASSWORD}
    entered = visitor.client.post(signing_in, base_url="http://localhost", data=data, headers=ORIGIN)
    assert entered.headers["Location"] == f"{PREFIX}/runs?state=failed"
    submitted = arriving_whole(visitor, "/tasks/reverse_text", method="POST", data={"text": "ab"}, headers=ORIGIN)
    assert submitted.headers["Location"].startswith(f"{PREFIX}/runs/")
    asked = {**ORIGIN, "HX-Request": "true", "HX-Current-URL": f"http://localhost{PREFIX}/tasks/reverse_text"}
    left = arriving_whole(visitor, "/logout", method="POST", headers=ORIGIN)
    assert left.headers["Location"] == f"{PREFIX}/login"
    refused = arriving_whole(visitor, "/tasks/reverse_text", method="POST", headers=asked)
    assert refused.headers["HX-Redirect"] == f"{PREFIX}/login?next={PREFIX}/tasks/reverse_text"


@pytest.mark.parametrize("target", ["/", "/other/application", "//evil.example", f"{PREFIX}\\evil", PREFIX + "s/x", ""])
def test_signing_in_never_leads_to_another_application_of_the_site(app: Flask, ada: Visitor, target: str) -> None:
    data = {"email": ada.email, "password": PASSWORD, "next": target}
    assert Visitor(app).post("/login", data).headers["Location"] == f"{PREFIX}/"


def test_the_sessions_cookie_is_sent_to_this_application_alone(app: Flask) -> None:
    data = {"email": "someone@example.com", "password": PASSWORD}
    entered = arriving_whole(Visitor(app), "/register", method="POST", data=data, headers=ORIGIN)
    assert f"; Path={PREFIX};" in f"{entered.headers['Set-Cookie']};"


def test_health_checks_may_ask_the_server_itself(app: Flask) -> None:
    for path in ("/healthz", f"{PREFIX}/healthz"):
        assert app.test_client().get(path, base_url="http://localhost").status_code == 200


def test_a_prefix_is_not_an_address_of_the_application(app: Flask) -> None:
    assert {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()} - {""} <= OWN_ADDRESSES
