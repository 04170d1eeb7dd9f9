"""A provider that people log in by, and applications that know it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from config import Settings
from jobs.runs.backend import Backend
from tests.support.provider import Provider
from tests.support.signing_in import ADA, Site
from tests.webapp.conftest import CompiledTemplates
from webapp import create_app


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.people = {"ada-1": dict(ADA), "ben-1": {"email": "ben@example.com", "email_verified": False}}
    running.spoil = lambda header, claims: None
    running.tells, running.has_logout = {}, True
    return running


@pytest.fixture
def site(backend: Backend, provider: Provider) -> Iterator[Site]:
    """Make an application whose people log in by the provider."""
    made: list[Flask] = []

    def make(**values: Any) -> Flask:
        settings = Settings.model_validate({**backend.settings.model_dump(), **provider.settings(), **values})
        made.append(create_app(replace(backend, settings=settings)))
        made[-1].jinja_env.bytecode_cache = CompiledTemplates()
        return made[-1]

    yield make
    for app in made:
        app.extensions["hub"].end()
