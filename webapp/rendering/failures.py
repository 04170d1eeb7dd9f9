"""The parts of a failure that depend on who reads it: the traceback for those who may see code, and whom to ask."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from flask import Flask
from markupsafe import Markup

import config
from webapp.current import backend, backend_of

FRAME = re.compile(r'^(\s*File ")([^"\n]+)(", line )', re.MULTILINE)
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ADMINISTRATOR = "the administrator"


class Reader(Protocol):
    """The account that reads a failure."""

    @property
    def is_admin(self) -> bool: ...


def init_app(app: Flask) -> None:
    settings = backend_of(app).settings
    folders = [config.ROOT, *(folder.parent for folder in settings.tasks)]
    app.jinja_env.filters.update(relative_paths=lambda text: relative_paths(text, folders))
    app.jinja_env.globals.update(contact=contact_link(settings.contact))


def may_see_code(reader: Reader) -> bool:
    """Return whether somebody may see tracebacks: administrators, and outside production everybody."""
    return reader.is_admin or backend().settings.app_env != "production"


def relative_paths(traceback: str, folders: Sequence[Path]) -> str:
    """Return a traceback with the paths of the project's files, and of those beside its tasks, relative to it."""
    return FRAME.sub(lambda frame: f"{frame[1]}{_relative(frame[2], folders)}{frame[3]}", traceback)


def _relative(path: str, folders: Sequence[Path]) -> str:
    found = next((folder for folder in folders if Path(path).is_relative_to(folder)), None)
    return str(Path(path).relative_to(found)) if found else path


def contact_link(contact: str) -> str:
    """Return CONTACT as a link if it is an e-mail address or a URL, otherwise as text."""
    if ADDRESS.fullmatch(contact):
        return Markup('<a href="mailto:{0}">{0}</a>').format(contact)
    if contact.startswith(("https://", "http://")):
        return Markup('<a href="{0}" rel="noopener">{0}</a>').format(contact)
    return contact or ADMINISTRATOR
