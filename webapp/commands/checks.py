"""What the doctor looks at, one function for each; none changes anything, and none fails."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from redis.exceptions import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

import webapp
from config import Settings
from jobs import Catalog, Database, alive, connect_redis, open_backend
from webapp import schema
from webapp.commands.catalog import usable
from webapp.security import DASHBOARD
from webapp.users import User

LEAST_FREE_BYTES = 500 * 1024 * 1024
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
        yield Finding(Weight.FINE, "tasks", f"{len(catalog)} can be run ({', '.join(catalog)})")
    elif not errors:
        yield Finding(Weight.DOUBTFUL, "tasks", "there is none yet: flask task new NAME writes one")


def settings(settings: Settings) -> Iterator[Finding]:
    """What is unsafe about the settings, which can be read."""
    yield Finding(Weight.FINE, "settings", f"for {settings.app_env}")
    if settings.production and settings.database.startswith("sqlite"):
        words = f"SQLite in {settings.data_dir}: right for one machine whose disk stays; otherwise set DATABASE_URL"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if settings.production and not settings.trusted_proxies:
        words = "TRUSTED_PROXIES is 0: behind a proxy, all visitors count as one and links begin with http"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if not settings.production and settings.host not in ("127.0.0.1", "::1", "localhost"):
        words = f"HOST is {settings.host}, so others can reach this; set APP_ENV=production for them"
        yield Finding(Weight.DOUBTFUL, "settings", words)
    if os.environ.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false"):
        weight = Weight.WRONG if settings.production else Weight.DOUBTFUL
        yield Finding(weight, "settings", "FLASK_DEBUG is on: errors show source code to visitors; unset it")


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
    database = Database(settings.database)
    try:
        if not schema.is_current(database):
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
        memory, persistence, (seconds, micros) = (
            connection.info("memory"),
            connection.info("persistence"),
            connection.time(),
        )
    except RedisError as error:
        there = "make run starts one" if settings.embeds_redis else "look at REDIS_URL"
        yield Finding(Weight.WRONG, "Redis", f"it does not answer ({type(error).__name__}): {there}")
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        words = f"its maxmemory-policy is {policy}: it may drop what waits; set it to noeviction"
        yield Finding(Weight.WRONG, "Redis", words)
    if not persistence.get("aof_enabled"):
        words = "it keeps no append-only file: after its restart runs wait some seconds longer; set appendonly yes"
        yield Finding(Weight.DOUBTFUL, "Redis", words)
    if policy == "noeviction" and persistence.get("aof_enabled"):
        yield Finding(Weight.FINE, "Redis", "it answers, drops nothing and keeps what it is told")
    yield from _clock("Redis", seconds + micros / 1e6)


def dashboard(settings: Settings) -> Iterator[Finding]:
    """Whether the queue's dashboard is shut to somebody who has not signed in."""
    answer = webapp.create_app(open_backend(settings, Catalog({}))).test_client().get(DASHBOARD)
    if answer.status_code < 300:
        yield Finding(Weight.WRONG, "dashboard", f"{DASHBOARD} is open to everybody: something took its guard away")
    else:
        yield Finding(Weight.FINE, "dashboard", f"{DASHBOARD} is for administrators only")


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


ALL: tuple[Callable[[Settings], Iterator[Finding]], ...] = (settings, data_folder, database, redis, dashboard)
