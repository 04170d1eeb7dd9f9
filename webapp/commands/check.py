"""`python -m webapp.commands.check`: print what is wrong with the tasks, a line for each file."""

import sys

from webapp.tasks.catalog import usable


def main() -> None:
    _catalog, errors = usable()
    sys.exit("\n".join(map(str, errors)) or None)


if __name__ == "__main__":
    main()
