"""The settings as they are, without their secrets, and the state of what the application needs."""

import platform
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from flask import Blueprint, current_app, render_template
from redis.exceptions import RedisError

from config import ROOT, Settings
from webapp.accounts.auth import require_admin
from webapp.current import backend
from webapp.server import checks

SECRET = re.compile("key|secret|password|token|credential")
SHOWN_CHECKS = (checks.settings, checks.data_folder, checks.database, checks.redis, checks.files)

bp = Blueprint("settings", __name__, url_prefix="/admin/settings")
bp.before_request(require_admin)


class Setting(NamedTuple):
    """A setting by the name of its environment variable, and whether it comes from the environment."""

    name: str
    value: str
    is_given: bool


@bp.get("/")
def index() -> str:
    settings = backend().settings
    findings = list(chain.from_iterable(check(settings) for check in SHOWN_CHECKS))
    return render_template(
        "admin/settings.html",
        findings=sorted(findings, key=lambda one: one.weight is checks.Weight.FINE),
        versions=dict(_versions()),
        settings=list(_listed(settings)),
    )


def _listed(settings: Settings) -> Iterator[Setting]:
    for name in type(settings).model_fields:
        yield Setting(name.upper(), _shown(name, getattr(settings, name)), name in settings.model_fields_set)


def _shown(name: str, value: object) -> str:
    """Return a value as a text; of a secret only whether it is set, and of an address neither names nor passwords."""
    if SECRET.search(name):
        return "set" if value else ""
    if isinstance(value, tuple | frozenset | list):
        return ", ".join(sorted(map(str, value)))
    text = "" if value is None else str(value)
    return re.sub(r"://[^?]*@", "://…@", text.partition("?")[0]) + ("?…" if "?" in text else "")


def _versions() -> Iterator[tuple[str, str]]:
    project = ROOT / "pyproject.toml"
    if project.exists():
        yield str(current_app.jinja_env.globals["app_name"]), tomllib.loads(project.read_text())["project"]["version"]
    yield "Python", platform.python_version()
    engine = backend().database.engine
    with engine.connect():
        yield engine.dialect.name, ".".join(map(str, engine.dialect.server_version_info or ()))
    try:
        yield "Redis", backend().redis.info("server")["redis_version"]
    except RedisError:
        yield "Redis", "not reachable"
