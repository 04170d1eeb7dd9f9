"""The guards at every door."""

import pytest

from tests.support.visitor import PASSWORD, Visitor


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


def test_pages_are_not_kept_by_caches(ada: Visitor) -> None:
    assert ada.get("/").headers["Cache-Control"] == "no-store"


def test_what_is_too_large_is_refused_with_words(ada: Visitor) -> None:
    response = ada.post("/tasks/reverse_text", {"text": "x" * 2_000_000})
    assert response.status_code == 413
    assert "too large" in response.text
