"""The web application."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from jobs.runs import Backend


def create_app(backend: "Backend | None" = None) -> "Flask":
    """Make the application; with settings from the environment unless a backend is given.

    Raises ConfigError for bad settings and TaskError for a task that cannot be shown as a form; in development the
    application goes on without the tasks that are broken, for those are being worked on.
    """
    # Imported when it is needed: `python -m webapp` runs this file too, and stays as long as the application it starts.
    from webapp.application import make

    return make(backend)
