"""The web application."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from jobs.runs import Backend


def create_app(backend: "Backend | None" = None) -> "Flask":
    """Create the application, with settings from the environment unless a backend is given.

    Raises ConfigError for invalid settings, and TaskError for a task that cannot be shown as a form. In development,
    broken tasks are left out instead, because they are being worked on.
    """
    # Imported here to save memory: `python -m webapp` also runs this file, in a process that does not need it.
    from webapp.application import make

    return make(backend)
