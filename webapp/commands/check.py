"""`python -m webapp.commands.check`: check the tasks and print their problems, one line per file."""

import sys

import config
from webapp.tasks.catalog import usable


def main() -> None:
    try:
        _catalog, errors = usable(config.load().tasks)
    except config.ConfigError as error:
        sys.exit(str(error))
    sys.exit("\n".join(map(str, errors)) or None)


if __name__ == "__main__":
    main()
