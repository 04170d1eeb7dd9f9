"""What the doctor looks at, one function for each; none changes anything, and none fails."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask_login import login_user
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

import webapp
from config import Settings
from jobs.authoring import Catalog
from jobs.runs import alive, open_backend
from jobs.storage import Database, connect_redis
from jobs.values import StoreAway
from webapp.accounts.users import User
from webapp.security import DASHBOARD
from webapp.server import migrations
from webapp.tasks.catalog import usable

LEAST_DIFFERENT = 9  # characters of a SECRET_KEY
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
    """What was found about something, and what to do when it is not fine."""

    weight: Weight
    about: str
    words: str


def tasks() -> Iterator[Finding]:
    """Whether every task can be imported and shown as a form."""
    catalog, errors = usable()
    for error in errors:
        yield Finding(Weight.WRONG, "tasks", str(error))
    if catalog:
        yield Finding(Weight.FINE, "tasks", f"{len(catalog)} can be run; flask task list shows them")
    elif not errors:
        yield Finding(Weight.DOUBTFUL, "tasks", "there is none yet: flask task new NAME writes one")


def settings(settings: Settings) -> Iterator[Finding]:
    """What is unsafe about the settings, which can be read."""
    yield Finding(Weight.FINE, "settings", f"for {settings.app_env}")
    if settings.production:
        yield from _for_production(settings)
    elif settings.host not in ("127.0.0.1", "::1", "localhost"):
        words = f"HOST is {settings.host}, so others can reach this; set APP_ENV=production for them"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if os.environ.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false"):
        weight = Weight.WRONG if settings.production else Weight.DOUBTFUL
        yield Finding(weight, "settings", "FLASK_DEBUG is on: errors show source code to visitors; unset it")


def _for_production(settings: Settings) -> Iterator[Finding]:
    unset = {
        "DATABASE_URL": settings.database.startswith("sqlite"),
        "REDIS_URL": settings.embeds_redis,
        "FILES_URL": not settings.files_url,
    }
    if here := ", ".join(name for name, is_unset in unset.items() if is_unset):
        words = f"{settings.data_dir} keeps what these would name elsewhere: {here}; right where the disk stays"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if len(set(settings.secret_key)) < LEAST_DIFFERENT:
        words = "SECRET_KEY can be guessed: python -c 'import secrets; print(secrets.token_urlsafe(48))' makes one"
        yield Finding(Weight.WRONG, "settings", words)
    if not settings.trusted_proxies:
        words = "TRUSTED_PROXIES is 0: behind a proxy, all visitors count as one and links begin with http"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if settings.redis.startswith("rediss://") and not settings.redis_tls_verify:
        words = "REDIS_TLS_VERIFY is false: who is between here and Redis can pose as it; set true if it can be checked"
        yield Finding(Weight.DOUBTFUL, "settings", words)


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Whether DATA_DIR is private and has room."""
    folder = settings.data_dir
    if not folder.exists():
        yield Finding(Weight.DOUBTFUL, "DATA_DIR", f"{folder} is not there yet: make run makes it")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            Weight.WRONG, "DATA_DIR", f"{folder} cannot be written to: make it yours, or set another DATA_DIR"
        )
    elif folder.stat().st_mode & 0o077:
        yield Finding(Weight.DOUBTFUL, "DATA_DIR", f"others on this machine may read it: chmod 700 {folder}")
    elif (free := shutil.disk_usage(folder).free) < LEAST_FREE_BYTES:
        yield Finding(
            Weight.WRONG, "DATA_DIR", f"only {free // 1024**2:,} MB are free on the disk of {folder}: make room"
        )
    else:
        yield Finding(Weight.FINE, "DATA_DIR", str(folder))


def database(settings: Settings) -> Iterator[Finding]:
    """Whether the database answers, has today's schema and a clock like ours, and knows of a worker."""
    file = make_url(settings.database).database or ""
    if settings.database.startswith("sqlite") and not Path(file).exists():  # opening it would make one
        yield Finding(Weight.WRONG, "database", f"{file} is not there yet: alembic upgrade head (make run does it)")
        return
    database = Database(settings.database)
    try:
        if newer := migrations.newer(database):
            yield Finding(Weight.WRONG, "database", f"its {newer}")
            return
        if not migrations.is_current(database):
            yield Finding(Weight.WRONG, "database", "its schema is behind: alembic upgrade head (make run does it)")
            return
        yield Finding(Weight.FINE, "database", f"{database.engine.dialect.name}, its schema is today's")
        yield from _clock("database", _time_of(database))
        yield from _people(database, settings)
        yield from _workers(database)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        yield Finding(Weight.WRONG, "database", f"DATABASE_URL cannot be used: {reason}")
    finally:
        database.close()


def redis(settings: Settings) -> Iterator[Finding]:
    """Whether Redis answers, keeps what it is told, and has a clock like ours."""
    connection = connect_redis(settings)
    try:
        facts, (seconds, micros) = connection.info(), connection.time()
        saves = _saves_snapshots(connection, facts)
    except RedisError as error:
        there = "make run starts one" if settings.embeds_redis else "look at REDIS_URL"
        yield Finding(Weight.WRONG, "Redis", f"it does not answer ({_said(error)}): {there}")
        return
    finally:
        connection.close()
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        words = f"its maxmemory-policy is {policy}: it may drop what waits; set it to noeviction"
        yield Finding(Weight.WRONG, "Redis", words)
    yield _persistence(bool(facts.get("aof_enabled")), saves)
    yield from _clock("Redis", seconds + micros / 1e6)


def _said(error: RedisError) -> str:
    # What Redis says here is about its protocol.
    return "it wants another user name or password" if isinstance(error, AuthenticationError) else str(error)


def _persistence(appends: bool, saves: bool | None) -> Finding:
    """Runs are in the database; Redis only remembers which of them to wake a worker for."""
    if appends:
        return Finding(Weight.FINE, "Redis", "it answers, and keeps what it is told")
    if saves:
        words = "it answers, and saves snapshots: of what came after the last one, runs wait some seconds longer"
        return Finding(Weight.FINE, "Redis", words)
    nothing = "it keeps nothing on its disk" if saves is False else "it does not say whether it keeps anything"
    words = f"{nothing}: after its restart runs may wait some seconds longer; set appendonly yes"
    return Finding(Weight.DOUBTFUL, "Redis", words)


def _saves_snapshots(connection: Redis, facts: Mapping[str, Any]) -> bool | None:
    """Whether it saves snapshots; None where that cannot be told, as managed ones often do not show their settings."""
    try:
        return bool(connection.config_get("save").get("save"))
    except ResponseError:
        started = facts.get("server_time_usec", time.time() * 1e6) / 1e6 - facts.get("uptime_in_seconds", 0)
        # A server that has saved nothing yet says that it did when it was started.
        return True if facts.get("rdb_last_save_time", 0) > started + STARTED_WITHIN_SECONDS else None


def files(settings: Settings) -> Iterator[Finding]:
    """Whether the bucket that FILES_URL names can be read."""
    if not settings.files_url:
        return
    try:
        open_backend(settings, Catalog({})).files.older_than(0, "00")
    except StoreAway as error:
        yield Finding(Weight.WRONG, "files", f"{settings.files_url} cannot be used: {error}")
    else:
        yield Finding(Weight.FINE, "files", settings.files_url)


def dashboard(settings: Settings) -> Iterator[Finding]:
    """Whether the queue's dashboard is shut to strangers and to users who are no administrators."""
    unsigned = settings.model_copy(update={"secret_key": "for nobody's session"})  # otherwise one would be made
    app = webapp.create_app(open_backend(unsigned, Catalog({})))
    weight, words = Weight.FINE, f"{DASHBOARD} is for administrators only"
    for who, user in {"everybody": None, "every user": User(id=0, email="", is_active=True, is_admin=False)}.items():
        with app.test_request_context(DASHBOARD):
            if user:
                login_user(user)
            if app.full_dispatch_request().status_code < HTTPStatus.MULTIPLE_CHOICES:
                weight, words = Weight.WRONG, f"{DASHBOARD} is open to {who}: something took its guard away"
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
        words = f"its clock and this machine's are {apart:,.0f} s apart: have both synchronised (NTP)"
        yield Finding(weight, where, words)


def _people(database: Database, settings: Settings) -> Iterator[Finding]:
    with database.read() as session:
        admins = session.scalar(select(func.count()).where(User.is_admin)) or 0
    if settings.production and not admins:
        words = "there is none: flask admin grant EMAIL lets somebody see the queue's dashboard"
        yield Finding(Weight.DOUBTFUL, "administrators", words)


def _workers(database: Database) -> Iterator[Finding]:
    if count := alive(database):
        yield Finding(Weight.FINE, "workers", f"{count} seen within the last minute")
    else:
        yield Finding(Weight.WRONG, "workers", "none is running: make run, or python -m jobs on a machine of their own")


ALL: tuple[Callable[[Settings], Iterator[Finding]], ...] = (settings, data_folder, database, redis, files, dashboard)
