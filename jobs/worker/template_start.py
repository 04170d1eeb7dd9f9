"""Entry script of a template process: `template_start.py MODULE DESCRIPTOR DESCRIPTOR FOLDER...`.

It intercepts the standard library's fork handlers (see jobs/worker/at_fork.py), so it must run before other imports.
"""

import importlib
import os
import sys

REGISTERING = ("concurrent.futures.thread", "logging", "random", "threading")


def main() -> None:
    """Import a module and call its `main`."""
    sys.path[0] = os.getcwd()
    set_aside = []
    register = os.register_at_fork
    os.register_at_fork = lambda **handlers: set_aside.append(handlers)
    for module in REGISTERING:
        importlib.import_module(module)
    os.register_at_fork = register
    from jobs.worker import at_fork

    at_fork.set_aside(set_aside)
    importlib.import_module(sys.argv.pop(1)).main()


if __name__ == "__main__":
    main()
