"""Secrets on the account page: entered, replaced, deleted, and never shown."""

import os
from typing import Any

import pytest
from flask import Flask

from jobs import Secrets, task
from jobs.runs.backend import Backend, open_backend
from tests.support.people import make_run, owner_id, with_key
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app
from webapp.commands.admin import admin
from webapp.commands.secrets import secrets_for
from webapp.commands.task import task as task_commands

VALUE = "correct-horse-battery"


@task(secrets=["API_TOKEN", "KEY_FILE"])
def fetch(secrets: Secrets) -> str:
    """Fetch something."""
    return secrets["API_TOKEN"]


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(open_backend(backend.settings, catalog_of(fetch)))


def keep(visitor: Visitor, name: str = "API_TOKEN", value: str = VALUE) -> Any:
    return visitor.post("/account/secrets", {"name": name, "value": value})


def test_a_secret_is_kept_and_only_its_name_is_shown(ada: Visitor, backend: Backend) -> None:
    response = keep(ada)
    assert response.status_code == 303
    page = ada.get(response.headers["Location"])
    assert "API_TOKEN saved." in the(soup(page), "#secrets").text
    assert VALUE not in page.text
    assert backend.vault.values(owner_id(backend, "ada@example.com"), ()) == {"API_TOKEN": VALUE}


def test_a_secret_of_several_lines_keeps_them(ada: Visitor, backend: Backend) -> None:
    keep(ada, value=" first\r\nsecond\r\n")
    assert backend.vault.values(owner_id(backend, "ada@example.com"), ()) == {"API_TOKEN": "first\nsecond"}


def test_a_secret_can_be_replaced_and_deleted_by_its_owner_alone(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    keep(ada, value="first")
    keep(ada)
    mine = owner_id(backend, "ada@example.com")
    assert ben.post("/account/secrets/API_TOKEN/delete").status_code == 303
    assert "API_TOKEN" not in ben.get("/account").text.replace("such as API_TOKEN", "")
    assert backend.vault.values(mine, ()) == {"API_TOKEN": VALUE}
    assert ada.post("/account/secrets/API_TOKEN/delete").status_code == 303
    assert backend.vault.names(mine) == []


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("a-b", VALUE, "#secret-name"), ("", VALUE, "#secret-name"), ("A", "", "#secret-value")],
)
def test_what_cannot_be_kept_is_explained_at_its_field_and_not_repeated(
    ada: Visitor, name: str, value: str, field: str
) -> None:
    response = keep(ada, name, value)
    page = soup(response)
    assert response.status_code == 422
    assert the(page, f"{field}-error").text.strip()
    assert str(the(page, field)["aria-describedby"]).split()[0] == f"{field}-error"[1:]
    assert the(page, "#secret-name")["value"] == name
    assert VALUE not in response.text


def test_a_task_says_before_a_run_which_secrets_are_missing(ada: Visitor) -> None:
    missing = the(soup(ada.get("/tasks/fetch")), ".missing")
    assert " ".join(missing.text.split()).startswith("This task needs API_TOKEN and KEY_FILE from your secrets.")
    link = str(the(missing, "a")["href"])
    assert the(soup(ada.get(link)), "#secret-name")["value"] == "API_TOKEN"
    keep(ada)
    assert "API_TOKEN" not in the(soup(ada.get("/tasks/fetch")), ".missing").text
    keep(ada, "KEY_FILE")
    assert soup(ada.get("/tasks/fetch")).select(".missing") == []


def test_on_the_terminal_secrets_come_from_the_environment(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"API_TOKEN": VALUE, "KEY_FILE": "k", "OTHER": "o", "KEY": "the key of sessions"}.items():
        monkeypatch.setenv(f"SECRET_{name}", value)
    assert secrets_for(fetch.__dict__["__task__"]) == {"API_TOKEN": VALUE, "KEY_FILE": "k"}

    @task
    def every(secrets: Secrets) -> None: ...

    @task
    def none() -> None: ...

    found = secrets_for(every.__dict__["__task__"])
    assert found["OTHER"] == "o"
    assert "KEY" not in found
    assert secrets_for(none.__dict__["__task__"]) == {}


def test_a_secret_that_the_environment_has_not_is_named(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:

    settings = app.extensions["dumbwaiter"].settings
    assert "SECRET_API_TOKEN" not in os.environ
    app.cli.add_command(task_commands)
    for name, value in {"DATA_DIR": settings.data_dir, "DATABASE_URL": settings.database_url}.items():
        monkeypatch.setenv(name, str(value))
    refused = app.test_cli_runner().invoke(args=["task", "run", "fetch"])
    assert refused.exit_code == 2
    assert "set SECRET_API_TOKEN" in refused.stderr
    monkeypatch.setenv("SECRET_API_TOKEN", VALUE)
    monkeypatch.setenv("SECRET_KEY_FILE", "k")
    assert app.test_cli_runner().invoke(args=["task", "run", "fetch"]).stdout == "•••\n"


def test_secrets_are_renewed_by_a_command(app: Flask, ada: Visitor) -> None:

    keep(ada)
    app.cli.add_command(admin)
    assert app.test_cli_runner().invoke(args=["admin", "renew-secrets"]).stdout == (
        "Secrets encrypted with SECRET_KEY: 1.\nRuns with secret parameters encrypted with SECRET_KEY: 0.\n"
        "Webhooks with secrets encrypted with SECRET_KEY: 0.\nSecond factors encrypted with SECRET_KEY: 0.\n"
    )


def test_a_secret_that_no_key_decrypts_any_more_is_counted_by_the_command(
    app: Flask, backend: Backend, ada: Visitor
) -> None:
    owner = owner_id(backend, ada.email)
    with_key(backend, "lost" * 20).put(owner, "API_TOKEN", VALUE)
    make_run(backend, owner, encrypted_parameters="by another key")
    app.cli.add_command(admin)
    renewal = app.test_cli_runner().invoke(args=["admin", "renew-secrets"])
    assert renewal.exit_code == 1
    assert "Secrets that neither key decrypts: 1. Runs with such parameters: 1." in renewal.stderr


def test_sessions_outlive_a_change_of_the_key(backend: Backend) -> None:
    def with_key(**keys: str) -> Flask:
        return create_app(open_backend(backend.settings.model_copy(update=keys), catalog_of(fetch)))

    before = Visitor(with_key(secret_key="old" * 20)).registered("ada@example.com")
    cookie = before.client.get_cookie("dumbwaiter")
    assert cookie is not None

    def comes_in(app: Flask) -> bool:
        visitor = Visitor(app)
        visitor.client.set_cookie("dumbwaiter", cookie.value)
        return visitor.get("/").status_code == 200

    assert comes_in(with_key(secret_key="new" * 20, secret_key_previous="old" * 20))
    assert not comes_in(with_key(secret_key="new" * 20))
