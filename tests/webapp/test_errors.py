"""Errors: in the same design, in words that say what to do, and as a notice where a page is open already."""

from pathlib import Path

import pytest
from flask import Flask, abort
from sqlalchemy import text

from jobs.runs.backend import Backend, open_backend
from tests.support.visitor import Visitor, soup, the
from webapp import create_app
from webapp.accounts import users


@pytest.mark.parametrize("code", [400, 403, 404, 405, 413, 429, 500])
def test_an_error_page_has_the_design_and_says_what_happened(app: Flask, code: int) -> None:
    app.add_url_rule("/broken", view_func=lambda: abort(code))
    response = Visitor(app).registered("ada@example.com").get("/broken")
    page = soup(response)
    assert response.status_code == code
    assert page.select_one(".header .brand") is not None
    assert the(page, ".error__code").text == str(code)
    assert len(the(page, ".error .lead").text) > 20


def test_an_unexpected_error_tells_nothing_of_the_inside(app: Flask) -> None:
    def broken() -> str:
        raise LookupError("the inside")

    app.add_url_rule("/broken", view_func=broken)
    response = Visitor(app).registered("ada@example.com").get("/broken")
    assert response.status_code == 500
    assert "inside" not in response.text
    assert "Try again" in response.text


@pytest.mark.parametrize("table", ["runs", "users"])
def test_a_database_that_cannot_be_read_is_named_without_its_tables(ada: Visitor, backend: Backend, table: str) -> None:
    with backend.database.write() as session:
        session.execute(text(f"ALTER TABLE {table} RENAME TO away"))
    response = ada.get("/runs")
    assert response.status_code in (500, 503)
    assert table not in the(soup(response), "main").text
    assert "Try again" in response.text


def test_htmx_gets_a_notice_and_not_a_page(ada: Visitor) -> None:
    page = soup(ada.get("/nowhere", headers={"HX-Request": "true"}))
    assert page.select_one("html") is None
    assert page.select_one("hx-partial[hx-target='#notices'] .notice") is not None


def test_htmx_is_sent_to_sign_in_when_the_session_has_ended(visitor: Visitor) -> None:
    response = visitor.post("/tasks/reverse_text", {"text": "hello"}, HX_Request="true")
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login?next=/")


def test_ready_names_what_is_missing(visitor: Visitor, backend: Backend, tmp_path: Path) -> None:
    assert visitor.get("/healthz").get_json() == {"status": "ok"}
    response = visitor.get("/readyz")
    assert response.status_code == 503
    answer = response.get_json()
    assert "python -m jobs" in answer.pop("advice")[0]
    assert answer == {"status": "not ready", "database": "ok", "redis": "ok", "worker": "missing"}
    away = backend.settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"})
    alone = Visitor(create_app(open_backend(away, backend.catalog)))
    assert alone.get("/readyz").get_json()["redis"] == "missing"


def test_every_page_works_or_says_that_the_queue_is_away(backend: Backend, tmp_path: Path) -> None:
    away = backend.settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"})
    app = create_app(open_backend(away, backend.catalog))
    ada = Visitor(app).registered("ada@example.com")
    users.set_admin(backend.database, ada.email, True)
    run_id = ada.submit("reverse_text", text="hello")
    for address in ("/", "/runs", f"/runs/{run_id}", "/tasks/reverse_text", "/account", "/live/changes"):
        assert ada.get(address).status_code in (200, 204), address
    queue = ada.get("/admin/rq/0/view/jobs")
    assert (queue.status_code, queue.headers["Retry-After"]) == (503, "10")
    assert "queue is not responding" in the(soup(queue), ".lead").text
    assert ada.post(f"/runs/{run_id}/cancel").status_code == 303
    assert ada.post("/logout").status_code == 303
