"""Logging in by a provider, as a browser does it."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.provider import Provider, Token
from tests.support.visitor import PASSWORD, Visitor, soup, the

ADA = {"email": "ada@example.com", "email_verified": True}
Site = Callable[..., Flask]


def led_away(visitor: Visitor, path: str = "/login/sso") -> str:
    answer = visitor.get(path)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def comes_back(visitor: Visitor, provider: Provider, subject: str, path: str = "/login/sso") -> TestResponse:
    return visitor.get(provider.sign_in(led_away(visitor, path), subject).removeprefix("http://localhost"))


def comes_back_to(app: Flask, provider: Provider) -> Visitor:
    visitor = Visitor(app)
    comes_back(visitor, provider, "ada-1")
    return visitor


def is_logged_in(visitor: Visitor) -> bool:
    return visitor.get("/").status_code == 200


def words(response: TestResponse) -> str:
    return the(soup(response), ".lead").text


def linked(visitor: Visitor, provider: Provider, subject: str = "ada-1") -> TestResponse:
    """Link the visitor's account as its page does, and return the answer at the end."""
    page = soup(visitor.post("/account/sso/link", {"sso-password": PASSWORD}))
    address = str(the(page, "main a")["href"])
    assert address in str(the(page, "meta[http-equiv=refresh]")["content"])
    return visitor.get(provider.sign_in(address, subject).removeprefix("http://localhost"))


def header(**values: Any) -> Callable[[Token, Token], None]:
    return lambda header, _claims: header.update(values)


def claims(**values: Any) -> Callable[[Token, Token], None]:
    return lambda _header, claims: claims.update(values)


def without(name: str) -> Callable[[Token, Token], None]:
    return lambda _header, claims: claims.pop(name)
