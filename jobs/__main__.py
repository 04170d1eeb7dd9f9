"""Run the workers: `python -m jobs`."""

import sys

from sqlalchemy.exc import SQLAlchemyError

import config
from jobs.authoring import Catalog, TaskError
from jobs.logs import begin_log
from jobs.runs import alive, open_backend
from jobs.storage import unusable
from jobs.task_user import UnusableTaskUser, check_task_user
from jobs.worker.supervisor import Supervisor

NO_WORKERS = "WORKERS: 0 is for a machine that only serves pages. Set it to at least 1 where python -m jobs runs."


def main() -> None:
    try:
        settings = config.load()
        if settings.workers == 0:
            raise config.ConfigError(NO_WORKERS)
        begin_log(settings.log_level)
        check_task_user(settings.task_user, settings.tasks)
        backend = open_backend(settings, Catalog({}))
        alive(backend.database)  # the database answers, and has our tables
        Supervisor(backend, settings.workers).run()
    except SQLAlchemyError as error:
        sys.exit(unusable(error))
    except (config.ConfigError, TaskError, UnusableTaskUser) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
