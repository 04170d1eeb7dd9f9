"""`python -m webapp.server.prepare`: the checks and migrations that precede the web server and the workers."""

import contextlib
import logging
import sys
import time

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

import config
from config import Settings
from jobs.authoring import errors_that_stop
from jobs.logs import begin_log
from jobs.runs import caps
from jobs.storage import Database, connect_redis, unusable
from jobs.task_user import UnusableTaskUser, find_task_user
from webapp.accounts import invitations, links
from webapp.server import migrations
from webapp.server.children import say
from webapp.server.serve import CannotStart
from webapp.server.settings import load_to_serve
from webapp.tasks.catalog import usable

log = logging.getLogger(__name__)

REDIS_SECONDS = 20


def main() -> None:
    try:
        prepare(load_to_serve())
    except (config.ConfigError, CannotStart) as error:
        sys.exit(f"Dumbwaiter cannot start: {error}")


def prepare(settings: Settings) -> None:
    """Check the tasks, wait for Redis, and migrate the database.

    Raises CannotStart with a message that says what to do.
    """
    begin_log(settings.log_level, "%(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings.session_key()  # creates the key before several processes need it
    caps.by_role(settings)  # raises ConfigError
    _check_tasks(settings)
    _check_task_user(settings)
    _wait_for_redis(settings)
    _migrate(settings)
    _invite_first(settings)


def _check_tasks(settings: Settings) -> None:
    catalog, errors = usable(settings.tasks)
    if stopping := errors_that_stop(catalog, errors):
        raise CannotStart("\n".join(map(str, stopping)))
    for error in errors:
        log.warning("%s\nIt is left out until this is fixed. The other tasks start.", error)


def _check_task_user(settings: Settings) -> None:
    try:
        find_task_user(settings.task_user if settings.workers else "")
    except UnusableTaskUser as error:
        raise CannotStart(str(error)) from None


def _wait_for_redis(settings: Settings) -> None:
    redis = connect_redis(settings)
    deadline = time.monotonic() + REDIS_SECONDS
    while True:
        try:
            redis.ping()
            return
        except RedisError as error:
            if time.monotonic() > deadline:
                place = settings.redis.rpartition("@")[2]
                said = str(error).rstrip(".")
                words = f"Redis at REDIS_URL ({place}) does not answer: {said}. Start it, or correct REDIS_URL."
                raise CannotStart(words) from None
        time.sleep(0.05)


def _migrate(settings: Settings) -> None:
    """Apply pending migrations; in production only check for them, because the release step applies them."""
    database = Database(settings.database)
    try:
        if newer := migrations.newer(database):
            raise CannotStart(f"The database's {newer}")
        if migrations.is_current(database):
            return
        if settings.production:
            raise CannotStart("The database's schema is out of date. Run the release step first: alembic upgrade head")
        with contextlib.closing(Database(settings.database, answer_seconds=None)) as patient:
            migrations.upgrade(patient)
    except SQLAlchemyError as error:
        raise CannotStart(unusable(error)) from None
    finally:
        database.close()


def _invite_first(settings: Settings) -> None:
    """While there is no account and nobody can register, print a link with which an administrator creates the first."""
    if settings.registers != "invite":
        return
    with contextlib.closing(Database(settings.database)) as database:
        if secret := invitations.first(database):
            link = links.invitation(settings, secret)
            say(f"Nobody has an account yet. Create the first one, an administrator's, with this link: {link}")


if __name__ == "__main__":
    main()
