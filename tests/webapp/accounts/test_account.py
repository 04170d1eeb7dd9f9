"""The account: its password, and who keeps it from being used."""

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import throttle, users

NEW = "a quite different password"


def change(visitor: Visitor, current: str = PASSWORD, new: str = NEW) -> int:
    return visitor.post("/account/password", {"current": current, "password": new}).status_code


def log_in(app: Flask, password: str) -> int:
    return Visitor(app).post("/login", {"email": "ada@example.com", "password": password}).status_code


def with_her_cookie(app: Flask, ada: Visitor) -> Visitor:
    cookie = ada.client.get_cookie("dumbwaiter")
    assert cookie is not None
    other = Visitor(app)
    other.client.set_cookie("dumbwaiter", cookie.value)
    return other


def test_a_new_password_takes_the_place_of_the_old_one(app: Flask, ada: Visitor) -> None:
    assert change(ada) == 303
    assert [log_in(app, PASSWORD), log_in(app, NEW)] == [422, 303]


def test_changing_the_password_ends_every_other_session_and_not_this_one(app: Flask, ada: Visitor) -> None:
    elsewhere = with_her_cookie(app, ada)
    assert elsewhere.get("/").status_code == 200
    response = ada.post("/account/password", {"current": PASSWORD, "password": NEW})
    assert elsewhere.get("/").status_code == 302
    assert "Password changed" in ada.get(response.headers["Location"]).text


@pytest.mark.parametrize(
    ("current", "new", "field", "words"),
    [
        ("not mine", NEW, "#current", "Incorrect password."),
        ("x" * 300, NEW, "#current", "Incorrect password."),
        (PASSWORD, "short", "#password", "at least 8"),
        (PASSWORD, "", "#password", "at least 8"),
    ],
)
def test_a_change_that_cannot_be_is_explained_at_its_field(
    app: Flask, ada: Visitor, current: str, new: str, field: str, words: str
) -> None:
    response = ada.post("/account/password", {"current": current, "password": new})
    page = soup(response)
    assert response.status_code == 422
    assert words in the(page, f"{field}-error").text
    assert str(the(page, field)["aria-describedby"]).split()[0] == f"{field}-error"[1:]
    assert log_in(app, PASSWORD) == 303


def test_nobody_at_an_open_page_can_guess_the_password(ada: Visitor) -> None:
    for number in range(throttle.MOST_PER_PAIR):
        assert change(ada, current=f"guess {number}") == 422
    response = ada.post("/account/password", {"current": PASSWORD, "password": NEW})
    assert response.status_code == 429
    assert response.headers["Retry-After"] == str(throttle.WINDOW_SECONDS)


def test_a_disabled_account_cannot_be_used(app: Flask, ada: Visitor, backend: Backend) -> None:
    assert users.set_active(backend.database, "ada@example.com", False)
    assert ada.get("/").status_code == 302
    refused = Visitor(app).post("/login", {"email": "ada@example.com", "password": PASSWORD})
    assert refused.status_code == 403
    assert "disabled" in refused.text
    assert "disabled" not in Visitor(app).post("/login", {"email": "ada@example.com", "password": "a guess"}).text


def test_an_account_that_is_enabled_again_needs_a_new_sign_in(app: Flask, ada: Visitor, backend: Backend) -> None:
    for is_active in (False, True):
        users.set_active(backend.database, "ada@example.com", is_active)
    assert ada.get("/").status_code == 302
    assert log_in(app, PASSWORD) == 303
