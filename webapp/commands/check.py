"""`python -m webapp.commands.check`: check the tasks and print their problems, one line per file."""

import sys

from webapp.tasks.catalog import usable


def main() -> None:
    _catalog, errors = usable()
    sys.exit("\n".join(map(str, errors)) or None)


if __name__ == "__main__":
    main()
