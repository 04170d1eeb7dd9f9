"""The checks of the doctor, one function each. They change nothing and report failures as findings."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import current_app
from flask_login import login_user
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from config import Settings
from jobs.authoring import Catalog
from jobs.runs import Role, alive, open_backend
from jobs.storage import Database, connect_redis, plain_name
from jobs.values import StoreAway
from webapp.accounts.users import Account
from webapp.security import DASHBOARD
from webapp.server import migrations
from webapp.server.settings import why_not_served
from webapp.tasks.catalog import usable

LEAST_DIFFERENT = 9  # distinct characters of a SECRET_KEY
LEAST_FREE_BYTES = 500 * 1024 * 1024
STARTED_WITHIN_SECONDS = 2.0
CLOCKS_DIFFER_SECONDS = 2.0
CLOCKS_HARM_SECONDS = 20.0


class Weight(Enum):
    FINE = "fine"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """A result of a check, with what to do if it is not fine."""

    weight: Weight
    about: str
    words: str


def tasks(settings: Settings) -> Iterator[Finding]:
    """Check that every task can be imported and shown as a form."""
    catalog, errors = usable(settings.tasks)
    for error in errors:
        yield Finding(Weight.WRONG, "tasks", str(error))
    if catalog:
        yield Finding(Weight.FINE, "tasks", f"{len(catalog)} available; list them with flask task list")
    elif not errors:
        yield Finding(Weight.DOUBTFUL, "tasks", "none yet; create one with flask task new NAME")


def settings(settings: Settings) -> Iterator[Finding]:
    """Check the settings, which are valid, for unsafe values."""
    yield Finding(Weight.FINE, "settings", f"APP_ENV is {settings.app_env}")
    if settings.production:
        yield from _for_production(settings)
    elif settings.host not in ("127.0.0.1", "::1", "localhost"):
        words = f"HOST is {settings.host}, so other machines can connect; set APP_ENV=production to serve them"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if os.environ.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false"):
        weight = Weight.WRONG if settings.production else Weight.DOUBTFUL
        yield Finding(weight, "settings", "FLASK_DEBUG is on, so error pages show source code; unset it")


def _for_production(settings: Settings) -> Iterator[Finding]:
    unset = {
        "DATABASE_URL": settings.database.startswith("sqlite"),
        "REDIS_URL": settings.embeds_redis,
        "FILES_URL": not settings.files_url,
    }
    if here := ", ".join(name for name, is_unset in unset.items() if is_unset):
        words = f"{here} not set, so this data is kept in {settings.data_dir}; use a persistent disk"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if len(set(settings.secret_key)) < LEAST_DIFFERENT:
        words = "SECRET_KEY is weak; create one: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        yield Finding(Weight.WRONG, "settings", words)
    if problem := why_not_served(settings):
        yield Finding(Weight.WRONG, "settings", problem)
    elif not settings.insists_on_tls:
        words = "PUBLIC_URL begins with http://, so passwords can be read on the way; put a proxy with https in front"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if settings.redis.startswith("rediss://") and not settings.redis_tls_verify:
        words = "REDIS_TLS_VERIFY is false, so an attacker can impersonate Redis; set it to true if you can"
        yield Finding(Weight.DOUBTFUL, "settings", words)


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Check that DATA_DIR is private and has free space."""
    folder = settings.data_dir
    if not folder.exists():
        yield Finding(Weight.DOUBTFUL, "DATA_DIR", f"{folder} doesn't exist yet; make run creates it")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(Weight.WRONG, "DATA_DIR", f"{folder} is not writable; change its owner, or set another DATA_DIR")
    elif folder.stat().st_mode & 0o077:
        yield Finding(Weight.DOUBTFUL, "DATA_DIR", f"other users of this machine can access it; run chmod 700 {folder}")
    elif (free := shutil.disk_usage(folder).free) < LEAST_FREE_BYTES:
        yield Finding(
            Weight.WRONG, "DATA_DIR", f"only {free // 1024**2:,} MB free on the disk of {folder}; free some space"
        )
    else:
        yield Finding(Weight.FINE, "DATA_DIR", str(folder))


def database(settings: Settings) -> Iterator[Finding]:
    """Check that the database answers, has the current schema and the correct time, and has seen a worker."""
    file = make_url(settings.database).database or ""
    if settings.database.startswith("sqlite") and not Path(file).exists():  # opening it would create the file
        yield Finding(Weight.WRONG, "database", f"{file} doesn't exist yet; run alembic upgrade head or make run")
        return
    database = Database(settings.database)
    try:
        if newer := migrations.newer(database):
            yield Finding(Weight.WRONG, "database", f"its {newer}")
            return
        if not migrations.is_current(database):
            yield Finding(Weight.WRONG, "database", "schema out of date; run alembic upgrade head or make run")
            return
        yield Finding(Weight.FINE, "database", f"{database.engine.dialect.name}, schema up to date")
        yield from _clock("database", _time_of(database))
        yield from _people(database, settings)
        yield from _workers(database)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        yield Finding(Weight.WRONG, "database", f"DATABASE_URL cannot be used: {reason}")
    finally:
        database.close()


def redis(settings: Settings) -> Iterator[Finding]:
    """Check that Redis answers, persists its data, and has the correct time."""
    connection = connect_redis(settings)
    try:
        facts, (seconds, micros) = connection.info(), connection.time()
        saves = _saves_snapshots(connection, facts)
    except RedisError as error:
        there = "start it with make run" if settings.embeds_redis else "check REDIS_URL"
        yield Finding(Weight.WRONG, "Redis", f"not reachable ({_said(error)}); {there}")
        return
    finally:
        connection.close()
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        words = f"its maxmemory-policy is {policy}, so queued runs may be evicted; set it to noeviction"
        yield Finding(Weight.WRONG, "Redis", words)
    yield _persistence(bool(facts.get("aof_enabled")), saves)
    yield from _clock("Redis", seconds + micros / 1e6)


def _said(error: RedisError) -> str:
    # Redis's own message for this error is about its protocol.
    return "incorrect user name or password" if isinstance(error, AuthenticationError) else str(error)


def _persistence(appends: bool, saves: bool | None) -> Finding:
    """Return a finding about persistence.

    Without it, no run is lost: runs are in the database, and Redis only holds the queue that wakes workers.
    """
    if appends:
        return Finding(Weight.FINE, "Redis", "reachable, with persistence (append-only file)")
    if saves:
        words = "reachable, with snapshots; after a restart, runs queued since the last one start some seconds later"
        return Finding(Weight.FINE, "Redis", words)
    nothing = "no persistence" if saves is False else "persistence unknown"
    words = f"{nothing}; after a restart of Redis, queued runs may start some seconds later; set appendonly yes"
    return Finding(Weight.DOUBTFUL, "Redis", words)


def _saves_snapshots(connection: Redis, facts: Mapping[str, Any]) -> bool | None:
    """Return whether Redis saves snapshots; None if unknown, because managed services often hide their settings."""
    try:
        return bool(connection.config_get("save").get("save"))
    except ResponseError:
        started = facts.get("server_time_usec", time.time() * 1e6) / 1e6 - facts.get("uptime_in_seconds", 0)
        # A server that has saved nothing yet reports its start as the time of the last save.
        return True if facts.get("rdb_last_save_time", 0) > started + STARTED_WITHIN_SECONDS else None


def files(settings: Settings) -> Iterator[Finding]:
    """Check that the bucket in FILES_URL can be read."""
    if not settings.files_url:
        return
    try:
        with suppress(FileNotFoundError):
            open_backend(settings, Catalog({})).files.objects.open(plain_name("0" * 64)).close()
    except StoreAway as error:
        yield Finding(Weight.WRONG, "files", f"{settings.files_url} cannot be used: {error}")
    else:
        yield Finding(Weight.FINE, "files", settings.files_url)


def dashboard(settings: Settings) -> Iterator[Finding]:
    """Check that only administrators can open the queue's dashboard."""
    site = settings.public_url or f"https://{min(settings.hosts)}"
    weight, words = Weight.FINE, f"{DASHBOARD} is for administrators only"
    for who, user in {
        "everyone": None,
        "every user": Account(id=0, email="", is_active=True, role=Role.MEMBER),
    }.items():
        with current_app.test_request_context(DASHBOARD, base_url=site):
            if user:
                login_user(user)
            if current_app.full_dispatch_request().status_code < HTTPStatus.MULTIPLE_CHOICES:
                weight, words = Weight.WRONG, f"{DASHBOARD} is open to {who}; restore its access check"
                break
    yield Finding(weight, "dashboard", words)


def _time_of(database: Database) -> float:
    if database.engine.dialect.name == "sqlite":
        return time.time()
    with database.read() as session:
        return float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)


def _clock(where: str, seconds: float) -> Iterator[Finding]:
    apart = abs(time.time() - seconds)
    if apart > CLOCKS_DIFFER_SECONDS:
        weight = Weight.WRONG if apart > CLOCKS_HARM_SECONDS else Weight.DOUBTFUL
        words = f"its clock and this machine's differ by {apart:,.0f} s; synchronise both with NTP"
        yield Finding(weight, where, words)


def _people(database: Database, settings: Settings) -> Iterator[Finding]:
    if not settings.production:
        return
    with database.read() as session:
        somebody = session.scalar(select(Account.id).where(Account.role == Role.ADMINISTRATOR).limit(1))
    if somebody is None:
        words = "none, so nobody can see the queue's dashboard; appoint one with flask admin grant EMAIL"
        yield Finding(Weight.DOUBTFUL, "administrators", words)


def _workers(database: Database) -> Iterator[Finding]:
    if count := alive(database):
        yield Finding(Weight.FINE, "workers", f"{count} seen within the last minute")
    else:
        yield Finding(Weight.WRONG, "workers", "none running; start them with make run, or python -m jobs")


ALL: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    *(tasks, settings, data_folder),
    *(database, redis, files, dashboard),
)
