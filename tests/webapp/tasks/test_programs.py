"""The programs on a task's page hold what the form holds, and never a secret."""

import json
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel, SecretStr

from jobs import task
from webapp import forms
from webapp.forms import posted_of
from webapp.tasks.programs import programs

SECRET = "a-secret-of-mine"


class Login(BaseModel):
    user: str
    password: SecretStr


@task
def visit(
    token: SecretStr, logins: list[Login], keys: dict[str, SecretStr], pair: tuple[int, SecretStr], one: Login | None
) -> None:
    """Use secrets of every shape."""


def test_a_program_holds_no_secret_and_everything_else(app: Flask) -> None:
    login = {"user": "ada", "password": SECRET}
    values: dict[str, Any] = {"token": SECRET, "logins": [login], "keys": {"a": SECRET}, "pair": [7, SECRET]}
    found = visit.__dict__["__task__"]
    posted = posted_of(forms.fields_of(found), values | {"one": login})
    with app.test_request_context():
        _parameters, form = forms.read(found, posted)
        assert _parameters is not None
        for program in programs(found, form):
            assert SECRET not in program.text
            assert program.text.count("YOUR_SECRET") == 5
            assert program.text.count("ada") == 2
            assert "7" in program.text


def test_what_is_not_filled_in_beside_a_secret_is_left_out(app: Flask) -> None:
    @task
    def enter(login: Login) -> None:
        """Log in."""

    found = enter.__dict__["__task__"]
    with app.test_request_context():
        form = forms.blank(found, {"login": {"password": SECRET}})
        for program in programs(found, form):
            assert SECRET not in program.text
            assert "Missing" not in program.text


@pytest.mark.parametrize("text", ["it's", 'say "ha"', "a\nb", "${x}`", "\\", "😀", "</script>", "$(reboot)"])
def test_texts_are_quoted_as_the_language_wants(app: Flask, text: str) -> None:
    @task
    def say(words: str) -> None:
        """Repeat the words."""

    found = say.__dict__["__task__"]
    with app.test_request_context():
        _parameters, form = forms.read(found, posted_of(forms.fields_of(found), {"words": text}))
        python, javascript, curl = (program.text for program in programs(found, form))
    assert f"words={text!r}," in python
    assert f'"words": {json.dumps(text, ensure_ascii=False)}' in javascript
    assert "$(reboot)" not in curl or '\'{"words": "$(reboot)"}\'' in curl
