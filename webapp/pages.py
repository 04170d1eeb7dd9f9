"""What every page's layout needs."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app, url_for
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from jobs import utcnow


def init_app(app: Flask) -> None:
    app.context_processor(layout_values)
    app.jinja_env.globals.update(asset=asset, now=utcnow)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def layout_values() -> dict[str, Any]:
    """Who looks at the page; nobody when the database cannot say, so that an error page can still be shown."""
    try:
        viewer = current_user if current_user.is_authenticated else None
    except SQLAlchemyError:
        viewer = None
    return {"viewer": viewer}


def asset(filename: str) -> str:
    """A static file's address, which changes with its content, so that browsers may keep it for good."""
    folder = current_app.static_folder
    assert folder is not None
    return url_for("static", filename=filename, v=_digest(Path(folder) / filename))


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
