"""`python -m webapp`: everything, in the foreground."""

import sys

import config
from jobs.embedded_redis import NoRedis
from webapp.serve import CannotStart, serve


def main() -> None:
    try:
        serve(config.load())
    except (config.ConfigError, NoRedis, CannotStart) as error:
        sys.exit(f"Dumbwaiter cannot start.\n{error}")


if __name__ == "__main__":
    main()
