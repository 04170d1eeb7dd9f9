"""One application for all tests of this folder: each has people of its own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.conftest import opened
from tests.support.visitor import Visitor
from tests.webapp.conftest import application
from webapp.accounts import users


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Backend]:
    with opened(tmp_path_factory.mktemp("asvs"), redis_url, empty_database) as one:
        yield one


@pytest.fixture(scope="module")
def app(backend: Backend) -> Iterator[Flask]:
    with application(backend) as made:
        yield made


@pytest.fixture
def ada(app: Flask) -> Visitor:
    return Visitor(app).registered(f"ada-{secrets.token_hex(4)}@example.com")


@pytest.fixture
def ben(app: Flask) -> Visitor:
    return Visitor(app).registered(f"ben-{secrets.token_hex(4)}@example.com")


@pytest.fixture
def boss(app: Flask, backend: Backend) -> Visitor:
    visitor = Visitor(app).registered(f"boss-{secrets.token_hex(4)}@example.com")
    users.set_admin(backend.database, visitor.email, True)
    return visitor
