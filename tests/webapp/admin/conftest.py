"""Fixtures for tests of the administration pages."""

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.visitor import Visitor
from webapp.accounts import users


@pytest.fixture
def boss(app: Flask, backend: Backend) -> Visitor:
    visitor = Visitor(app).registered("boss@example.com")
    users.set_admin(backend.database, visitor.email, True)
    return visitor
