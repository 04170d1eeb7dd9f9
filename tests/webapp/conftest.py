"""Fixtures for tests of the application in this process, and its visitors."""

from collections.abc import Iterator

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.visitor import Visitor
from webapp import create_app


@pytest.fixture
def app(backend: Backend) -> Iterator[Flask]:
    """The application; the threads that its waiting requests have started end with it."""
    made = create_app(backend)
    yield made
    made.extensions["hub"].end()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(app)


@pytest.fixture
def ada(app: Flask) -> Visitor:
    return Visitor(app).registered("ada@example.com")


@pytest.fixture
def ben(app: Flask) -> Visitor:
    return Visitor(app).registered("ben@example.com")
