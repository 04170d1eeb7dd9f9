"""`python -m jobs`: the workers."""

import logging
import sys

import config
from jobs.backend import open_backend
from jobs.catalog import Catalog
from jobs.pool import Pool
from jobs.task import TaskError


def main() -> None:
    try:
        settings = config.load()
        logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
        Pool(open_backend(settings, Catalog({})), settings.workers).run()
    except (config.ConfigError, TaskError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
