"""Fixtures for tests of commands."""

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.tasks import FOLDER
from webapp import commands


@pytest.fixture
def shell(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application as `flask` makes it, on this test's data."""
    settings = backend.settings
    given = {"DATA_DIR": settings.data_dir, "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    given["TASKS"] = FOLDER
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    return commands.create_app()
