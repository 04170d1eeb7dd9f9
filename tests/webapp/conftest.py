"""Fixtures for tests of the application in this process, and its visitors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from jobs.runs.backend import Backend
from tests.support.visitor import Visitor
from webapp import create_app
from webapp.accounts import passwords

REAL_HASHER = passwords._hasher


class CompiledTemplates(BytecodeCache):
    """Templates that were compiled for the application of any test: the sources of nearly all are the same."""

    _kept: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def compiled_addresses() -> Iterator[None]:
    """Compile the function that builds a route's addresses once for the application of any test.

    Werkzeug compiles two for each route: four fifths of the time that creating an application takes.
    """
    compile_builder, kept = Rule._compile_builder, dict[object, Callable[..., tuple[str, str]]]()

    def compiled(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        defaults: dict[str, Any] = dict(rule.defaults or {})
        key = (rule.rule, append_unknown, *rule._trace, *defaults.items())
        return kept.get(key) or kept.setdefault(key, compile_builder(rule, append_unknown))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compiled)
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hash passwords with the least work: nearly every test registers somebody, and most of that is the hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
def real_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords are hashed as in production."""
    monkeypatch.setattr(passwords, "_hasher", REAL_HASHER)
    passwords._nobodys_hash.cache_clear()
    yield
    passwords._nobodys_hash.cache_clear()


@contextmanager
def application(backend: Backend) -> Iterator[Flask]:
    """The application; the threads that its waiting requests have started end with it."""
    made = create_app(backend)
    made.jinja_env.bytecode_cache = CompiledTemplates()
    yield made
    made.extensions["hub"].end()


@pytest.fixture
def app(backend: Backend) -> Iterator[Flask]:
    with application(backend) as made:
        yield made


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
