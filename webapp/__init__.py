"""The web application."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from jobs.runs import Backend


def create_app(backend: "Backend | None" = None) -> "Flask":
    """Create the application, with settings from the environment unless a backend is given.

    Tasks that cannot be loaded, or whose form cannot be submitted, are left out. Raises ConfigError for invalid
    settings.
    """
    # Imported here to save memory: `python -m webapp` also runs this file, in a process that does not need it.
    from webapp.application import make

    return make(backend)
