"""Run the workers: `python -m jobs`."""

import logging
import sys

import config
from jobs.authoring import Catalog, TaskError
from jobs.runs import open_backend
from jobs.worker.supervisor import Supervisor

NO_WORKERS = "WORKERS: 0 is for a machine that only serves pages. Set it to at least 1 where python -m jobs runs."


def main() -> None:
    try:
        settings = config.load()
        if settings.workers == 0:
            raise config.ConfigError(NO_WORKERS)
        logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
        Supervisor(open_backend(settings, Catalog({})), settings.workers).run()
    except (config.ConfigError, TaskError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
