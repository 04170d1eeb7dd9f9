"""A program that calls the API: a test client that sends a token and JSON, and nothing of a browser."""

import json
import urllib.request
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.visitor import PASSWORD

API = "/api/v1"


def token_of(url: str, email: str) -> str:
    """Return a token of a registered user of a running application."""
    body = json.dumps({"email": email, "password": PASSWORD}).encode()
    request = urllib.request.Request(f"{url}{API}/tokens", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["token"])


class Program:
    def __init__(self, app: Flask, token: str = "") -> None:
        self.client = app.test_client(use_cookies=False)
        self.token = token

    @classmethod
    def signed_in(cls, app: Flask, email: str) -> "Program":
        """Return a program of a registered user, with a token of all scopes."""
        response = cls(app).post("/tokens", {"email": email, "password": PASSWORD})
        assert response.status_code == 201, response.text
        return cls(app, response.get_json()["token"])

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(API + path, headers=self._headers(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        sent = {"Content-Type": "application/json", **self._headers(headers)}
        return self.client.post(API + path, data=data, headers=sent)

    def patch(self, path: str, body: Any = None) -> TestResponse:
        sent = {"Content-Type": "application/json", **self._headers({})}
        return self.client.patch(API + path, data=json.dumps({} if body is None else body).encode(), headers=sent)

    def delete(self, path: str) -> TestResponse:
        return self.client.delete(API + path, headers=self._headers({}))

    def submit(self, task: str, **parameters: Any) -> Any:
        """Start a run and return it."""
        response = self.post(f"/tasks/{task}/runs", parameters)
        assert response.status_code == 201, response.text
        return response.get_json()

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
