"""Sign-in: who gets in, who stays in, and who is kept out."""

import statistics
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from jobs.runs.backend import Backend, open_backend
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp import create_app
from webapp.accounts import passwords, throttle, users
from webapp.security import local_path


def test_registering_signs_in(visitor: Visitor) -> None:
    assert visitor.registered("Someone@Example.com").get("/").status_code == 200
    assert "someone@example.com" in visitor.get("/").text


def test_the_start_page_asks_who_is_there(visitor: Visitor) -> None:
    response = visitor.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/login?next=/")


def test_logging_in_leads_to_where_one_wanted_to_go(app: Flask, ada: Visitor) -> None:
    other = Visitor(app)
    sent = other.get("/runs?state=failed").headers["Location"]
    response = other.post(sent, {"email": " ADA@example.com ", "password": PASSWORD})
    assert (response.status_code, response.headers["Location"]) == (303, "/runs?state=failed")


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (
            {"HX-Request": "true", "HX-Current-URL": "http://localhost/tasks/reverse_text?run=5#x"},
            "/tasks/reverse_text?run=5",
        ),
        ({"HX-Request": "true", "HX-Current-URL": "http://evil.example/tasks/reverse_text"}, "/"),
        ({"HX-Request": "true", "HX-Current-URL": "http://localhost//evil.example"}, "/"),
        ({"HX-Request": "true"}, "/"),
        ({"Referer": "http://localhost/runs/7"}, "/runs/7"),
        ({"Referer": "http://evil.example/runs/7"}, "/"),
        ({"Referer": "http://[bad"}, "/"),
        ({}, "/"),
    ],
)
def test_a_session_that_ended_leads_back_to_the_page_that_asked(
    visitor: Visitor, headers: dict[str, str], wanted: str
) -> None:
    response = visitor.client.post("/runs/7/cancel", headers={"Origin": "http://localhost", **headers})
    address = response.headers.get("HX-Redirect") or response.headers["Location"]
    assert parse_qs(urlsplit(address).query)["next"] == [wanted]


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "evil", "", None]
)
def test_next_never_leads_elsewhere(target: str | None) -> None:
    assert local_path(target) == "/"


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        ("not an address", PASSWORD, "Enter an e-mail address"),
        ("a@example.com", "short", "at least 8"),
        ("a@example.com", "x" * 257, "at most 256"),
        ("a@example.com", "Password123", "too common"),
        ("a@example.com", "Passw0rd!", "too common"),
        ("a@example.com", "P@$$w0rd2024", "too common"),
        ("a@example.com", "!!welcome!!", "too common"),
        ("a@example.com", "aaaaaaaa", "four different"),
        ("a@example.com", "x1x1x1x1x1", "four different"),
        ("someone@example.com", "Someone@example.com", "not your e-mail address"),
        ("someone@example.com", "someone123!", "not your e-mail address"),
        ("a" * 1_000_000 + "@example.com", PASSWORD, "Enter an e-mail address"),
        ("ada@example.com", PASSWORD, "already exists"),
    ],
)
def test_a_registration_that_cannot_be_is_explained(
    visitor: Visitor, ada: Visitor, email: str, password: str, words: str
) -> None:
    response = visitor.post("/register", {"email": email, "password": password})
    assert response.status_code == 422
    assert words in response.text
    assert the(soup(response), "#email")["value"] == email[: users.LONGEST_EMAIL + 1]


@pytest.mark.parametrize("password", ["8 chars!", "one long " * 28, "пароль-длинный", "a\x00bcdefgh"])
def test_a_password_may_be_any_eight_to_256_characters(visitor: Visitor, app: Flask, password: str) -> None:
    assert visitor.post("/register", {"email": "p@example.com", "password": password}).status_code == 303
    assert Visitor(app).post("/login", {"email": "p@example.com", "password": password}).status_code == 303


@pytest.mark.usefixtures("real_hashes")
def test_a_password_is_kept_as_argon2id(backend: Backend) -> None:
    kept = users.create(backend.database, "h@example.com", PASSWORD).password_hash
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_wrong_and_unknown_get_the_same_answer(app: Flask, ada: Visitor) -> None:
    wrong = Visitor(app).post("/login", {"email": "ada@example.com", "password": "wrong password"})
    unknown = Visitor(app).post("/login", {"email": "eve@example.com", "password": "wrong password"})
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace("ada@", "eve@") == unknown.text


@pytest.mark.usefixtures("real_hashes")
def test_wrong_and_unknown_take_the_same_work(backend: Backend) -> None:
    users.create(backend.database, "known@example.com", PASSWORD)
    spent: dict[str, list[float]] = {"known@example.com": [], "unknown@example.com": []}
    for _ in range(15):
        for email, times in spent.items():
            begun = time.process_time()
            assert users.with_password(backend.database, email, "wrong password") is None
            times.append(time.process_time() - begun)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert 0.2 < known / unknown < 5  # without the hash of nobody's password the ratio is above 20


def test_a_cookie_copied_before_logout_is_dead(app: Flask, ada: Visitor) -> None:
    cookie = ada.client.get_cookie("dumbwaiter")
    assert cookie is not None
    assert ada.post("/logout").status_code == 303
    thief = Visitor(app)
    thief.client.set_cookie("dumbwaiter", cookie.value)
    assert thief.get("/").status_code == 302


def test_logging_out_is_not_a_link(ada: Visitor) -> None:
    assert ada.get("/logout").status_code == 405
    assert ada.get("/").status_code == 200


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(ada: Visitor) -> None:
    cookie = ada.client.get_cookie("dumbwaiter")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.secure) == (True, "Lax", False)


def test_over_tls_the_session_cookie_is_secure(visitor: Visitor) -> None:
    data = {"email": "tls@example.com", "password": PASSWORD}
    visitor.client.post("/register", data=data, base_url="https://localhost", headers={"Origin": "https://localhost"})
    cookie = visitor.client.get_cookie("__Host-dumbwaiter")
    assert cookie is not None
    assert cookie.secure


def guess(app: Flask, email: str, times: int) -> list[int]:
    return [Visitor(app).post("/login", {"email": email, "password": f"guess {n}"}).status_code for n in range(times)]


def test_guessing_is_stopped_even_by_the_right_password_and_after_a_restart(
    app: Flask, ada: Visitor, backend: Backend
) -> None:
    assert guess(app, "ada@example.com", throttle.MOST_PER_PAIR + 1) == [422] * throttle.MOST_PER_PAIR + [429]
    again = create_app(backend)
    response = Visitor(again).post("/login", {"email": "ada@example.com", "password": PASSWORD})
    assert response.status_code == 429
    assert response.headers["Retry-After"] == str(throttle.WINDOW_SECONDS)
    assert "Try again in 15 minutes" in response.text


def test_guessing_is_stopped_for_unknown_addresses_alike(app: Flask) -> None:
    assert guess(app, "nobody@example.com", throttle.MOST_PER_PAIR + 1)[-1] == 429


def test_a_place_may_be_told_at_any_length(backend: Backend) -> None:
    behind_a_proxy = open_backend(backend.settings.model_copy(update={"trusted_proxies": 1}))
    eve = Visitor(create_app(behind_a_proxy))
    sent = {"email": "eve@example.com", "password": "wrong password"}
    assert eve.post("/login", sent, X_Forwarded_For="x" * 1000).status_code == 422


def test_one_users_failures_do_not_keep_another_out(app: Flask, ada: Visitor, ben: Visitor) -> None:
    guess(app, "ada@example.com", throttle.MOST_PER_PAIR)
    assert Visitor(app).post("/login", {"email": "ben@example.com", "password": PASSWORD}).status_code == 303


def test_a_right_password_forgives_the_failures_before_it(app: Flask, ada: Visitor) -> None:
    for _ in range(3):
        guess(app, "ada@example.com", throttle.MOST_PER_PAIR - 1)
        assert Visitor(app).post("/login", {"email": "ada@example.com", "password": PASSWORD}).status_code == 303


def test_a_password_matches_its_own_hash_alone() -> None:
    hashed = passwords.hash_password(PASSWORD)
    assert passwords.matches(hashed, PASSWORD)
    assert not passwords.matches(hashed, PASSWORD + " ")
    assert not passwords.matches(None, PASSWORD)
