"""The doctor reports every fault with its remedy, and changes nothing."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from config import Settings
from jobs.runs.backend import Backend
from jobs.storage.redis import connect_redis
from tests.conftest import mark_newer, redis_running, settings_for
from tests.support.stack import ROOT
from tests.support.waiting import until
from webapp import create_app, rq_dashboard
from webapp.accounts import auth
from webapp.server import checks
from webapp.server.checks import Finding

KEY = "nobody guesses what stands here, nor this"
SERVED = {"app_env": "production", "secret_key": KEY, "trusted_proxies": 1, "public_url": "https://example.com"}


def said(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[str]:
    return [f"{finding.weight.value} {finding.about}: {finding.words}" for finding in check(settings)]


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings for a Redis whose own settings a test may change."""
    settings = settings_for(tmp_path_factory.mktemp("own"))
    with redis_running(settings):
        yield settings


@pytest.fixture
def redis(own_redis: Settings) -> Iterator[Redis]:
    connection = connect_redis(own_redis)
    yield connection
    for name, value in {"appendonly": "yes", "save": "", "maxmemory-policy": "noeviction"}.items():
        connection.config_set(name, value)


def test_a_redis_that_keeps_its_data_is_fine(own_redis: Settings) -> None:
    assert said(checks.redis, own_redis) == ["fine Redis: reachable, with persistence (append-only file)"]


def test_a_redis_that_keeps_nothing_is_named_and_one_that_saves_snapshots_is_not(
    own_redis: Settings, redis: Redis
) -> None:
    redis.config_set("appendonly", "no")
    assert said(checks.redis, own_redis)[0].startswith("doubtful Redis: no persistence;")
    redis.config_set("save", "3600 1")
    assert [words.split(";")[0] for words in said(checks.redis, own_redis)] == ["fine Redis: reachable, with snapshots"]


def test_a_redis_that_does_not_show_its_settings_is_known_by_the_snapshots_it_has_saved(
    own_redis: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.config_set("appendonly", "no")
    redis.acl_setuser("guest", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
    guest = own_redis.model_copy(update={"redis_url": f"unix://guest:none@{own_redis.redis_socket}"})
    assert "persistence unknown" in str(said(checks.redis, guest))
    monkeypatch.setattr(checks, "STARTED_WITHIN_SECONDS", -2.0)  # as if it had run for a while
    redis.bgsave()
    until(lambda: "with snapshots" in str(said(checks.redis, guest)), "the snapshot")


def test_a_redis_that_drops_what_waits_is_wrong(own_redis: Settings, redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    assert said(checks.redis, own_redis)[0].startswith("wrong Redis: its maxmemory-policy is allkeys-lru")


def test_a_redis_that_cannot_be_reached_is_named_without_its_password(own_redis: Settings, tmp_path: Path) -> None:
    away = settings_for(tmp_path, redis_url="redis://:hush-hush@127.0.0.1:1/0")
    [words] = said(checks.redis, away)
    assert words.startswith("wrong Redis: not reachable (Error 111 connecting to 127.0.0.1:1")
    stranger = own_redis.model_copy(update={"redis_url": f"unix://eve:hush-hush@{own_redis.redis_socket}"})
    refused = said(checks.redis, stranger)
    assert refused == ["wrong Redis: not reachable (incorrect user name or password); check REDIS_URL"]
    assert "hush" not in words + refused[0]


@pytest.mark.parametrize(("seconds", "weight"), [(1, None), (5, "doubtful"), (-3600, "wrong")])
def test_clocks_that_differ_are_named(
    own_redis: Settings, monkeypatch: pytest.MonkeyPatch, seconds: int, weight: str | None
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    clocks = [words for words in said(checks.redis, own_redis) if "clock" in words]
    assert [words.split()[0] for words in clocks] == ([weight] if weight else [])


@pytest.mark.only_on("postgres")
def test_a_clock_that_differs_from_the_databases_is_named(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600)
    assert any("clock" in words for words in said(checks.database, backend.settings))


@pytest.mark.only_on("sqlite")
def test_a_schema_that_is_behind_or_not_there_is_named(backend: Backend, tmp_path: Path) -> None:
    with sqlite3.connect(backend.settings.data_dir / "dumbwaiter.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    [behind] = said(checks.database, backend.settings)
    assert behind.startswith("wrong database: schema out of date; run alembic upgrade head")
    elsewhere = tmp_path / "elsewhere"
    [missing] = said(checks.database, settings_for(elsewhere))
    assert missing.startswith(f"wrong database: {elsewhere}/dumbwaiter.db doesn't exist yet; run alembic upgrade head")


def test_a_schema_that_is_newer_than_the_code_is_not_called_behind(backend: Backend) -> None:
    mark_newer(backend.database)
    [newer] = said(checks.database, backend.settings)
    assert newer.startswith("wrong database: its schema (9999) is newer than this code: update the code, or")
    assert "alembic upgrade" not in newer


def test_a_database_without_workers_is_named(backend: Backend) -> None:
    assert said(checks.database, backend.settings)[-1].startswith("wrong workers: none running")


def test_a_folder_that_others_can_read_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert said(checks.data_folder, settings_for(tmp_path))[0].endswith(f"chmod 700 {tmp_path}")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "DATABASE_URL, REDIS_URL, FILES_URL not set, so this data is kept in {data_dir}"),
        ({"database_url": "postgresql://db/x", "redis_url": "redis://r"}, "settings: FILES_URL not set"),
        ({"secret_key": "change-me" * 4}, "wrong settings: SECRET_KEY is weak"),
        ({"trusted_proxies": 0}, "wrong settings: TRUSTED_PROXIES: must be set"),
        ({"public_url": ""}, "wrong settings: PUBLIC_URL: must be set"),
        ({"public_url": "http://intranet"}, "doubtful settings: PUBLIC_URL begins with http://"),
        ({"redis_url": "rediss://r", "redis_tls_verify": False}, "doubtful settings: REDIS_TLS_VERIFY is false"),
        ({"app_env": "development", "host": "0.0.0.0"}, "doubtful settings: HOST is 0.0.0.0"),
    ],
)
def test_settings_that_are_unsafe_are_named(tmp_path: Path, values: dict[str, object], words: str) -> None:
    settings = settings_for(tmp_path, **{**SERVED, **values})
    assert words.format(data_dir=tmp_path) in "\n".join(said(checks.settings, settings))


def test_settings_that_are_safe_are_fine(tmp_path: Path) -> None:
    places = {"database_url": "postgresql://db/x", "redis_url": "rediss://r", "files_url": "s3://bucket"}
    assert said(checks.settings, settings_for(tmp_path, **SERVED, **places)) == ["fine settings: APP_ENV is production"]


def said_of_dashboard(backend: Backend) -> str:
    with create_app(backend).app_context():
        return said(checks.dashboard, backend.settings)[0]


def test_a_dashboard_that_has_lost_its_guard_is_wrong(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said_of_dashboard(backend).startswith("fine dashboard")
    monkeypatch.setattr(rq_dashboard, "guard", lambda: None)
    assert said_of_dashboard(backend).startswith("wrong dashboard: /admin/rq/ is open to every user")
    monkeypatch.setattr(auth, "require_sign_in", lambda: None)
    assert said_of_dashboard(backend).startswith("wrong dashboard: /admin/rq/ is open to everyone")


def test_a_bucket_without_a_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = settings_for(tmp_path, files_url="s3://bucket", aws_endpoint_url="http://127.0.0.1:1")
    assert (
        "s3://bucket cannot be used: The file store has no credentials. Set AWS_ACCESS_KEY_ID"
        in said(checks.files, settings)[0]
    )


def test_the_doctor_makes_nothing_and_says_everything_once(tmp_path: Path) -> None:
    own = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "none")}
    command = [sys.executable, "-m", "flask", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (1, "", [])
    assert " warn  DATA_DIR: " in done.stdout
    own["PORT"] = "many"
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("PORT")) == (1, "", 1)


def test_a_folder_that_cannot_be_made_leaves_the_doctor(tmp_path: Path) -> None:
    own = {"PATH": os.environ["PATH"], "DATA_DIR": "/dev/null/none"}
    command = [sys.executable, "-m", "flask", "task", "list"]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert "Only `flask doctor` is available until this is fixed." in done.stderr
    assert "Traceback" not in done.stderr
