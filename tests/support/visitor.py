"""Somebody with a browser: a test client that sends what browsers send."""

from typing import Any

from bs4 import BeautifulSoup, Tag
from flask import Flask
from werkzeug.test import TestResponse

ORIGIN = {"Origin": "http://localhost"}
PASSWORD = "correct horse battery staple"


class Visitor:
    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.email = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        sent = {**ORIGIN, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.post(path, data=data or {}, headers=sent)

    def patch(self, path: str) -> TestResponse:
        return self.client.patch(path, headers=ORIGIN)

    def delete(self, path: str) -> TestResponse:
        return self.client.delete(path, headers=ORIGIN)

    def registered(self, email: str) -> "Visitor":
        response = self.post("/register", {"email": email, "password": PASSWORD})
        assert response.status_code == 303, response.text
        self.email = email
        return self

    def submit(self, task: str, **parameters: Any) -> int:
        """Submit a plain form and return the id of the run it led to."""
        response = self.post(f"/tasks/{task}", parameters)
        assert response.status_code == 303, response.text
        return int(response.headers["Location"].rpartition("/")[2])


def soup(response: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(response.text, "html.parser")


def the(page: Tag, selector: str) -> Tag:
    """The one element a test is about, which must be there."""
    found = page.select_one(selector)
    assert found is not None, f"there is no {selector}"
    return found
