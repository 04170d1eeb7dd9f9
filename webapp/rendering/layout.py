"""Template values and functions for the layout of every page."""

from pathlib import Path
from typing import Any

from flask import Flask, current_app, g, has_request_context, url_for
from flask.globals import request_ctx
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from jobs.storage import utcnow
from webapp.rendering.bundles import current_look, paths
from webapp.rendering.static_files import fingerprint


def init_app(app: Flask) -> None:
    app.context_processor(layout_values)
    app.jinja_env.globals.update(asset=asset, icon=icon, now=utcnow, url_for=address, address_of_run=address_of_run)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def layout_values() -> dict[str, Any]:
    """Return the signed-in viewer, or None; if the database fails, nobody knows, and an error page is still shown."""
    try:
        return {"viewer": current_user if current_user.is_authenticated else None, "viewer_known": True}
    except SQLAlchemyError:
        return {"viewer": None, "viewer_known": False}


# The addresses of a run's page and of its parts, which are beneath a link's address when it is seen by the link.
OF_RUN = {
    "runs.show": "links.show",
    "runs.table": "links.table",
    "runs.table_csv": "links.table_csv",
    "downloads.text": "links.text",
    "downloads.log": "links.log",
    "downloads.everything": "links.everything",
    "files.show": "links.file",
}


def asset(filename: str) -> str:
    """Return the URL of a static file or a bundle. It changes with the content, so browsers may cache it forever."""
    folder = current_app.static_folder
    assert folder is not None
    return address("static", filename=filename, v=fingerprint(*paths(Path(folder), filename), look=current_look()))


def icon() -> str:
    """Return the URL of the site's icon: its logo, or ours."""
    return asset(current_look().logo_name or "icon.svg")


def address(endpoint: str, **values: Any) -> str:
    """Return the URL of an endpoint: Flask's `url_for`, or its equivalent for pushes, which have no request."""
    if endpoint in OF_RUN and (secret := g.get("link_secret")):
        endpoint, values = OF_RUN[endpoint], {**values, "secret": secret}
        del values["run_id"]
    if has_request_context() and request_ctx.url_adapter:  # a host that is no name has none
        return url_for(endpoint, **values)
    return current_app.url_map.bind("", script_name=_prefix()).build(endpoint, values)


def address_of_run(run_id: int) -> str:
    """Return the URL of a run's page with the host, which pushes do not know."""
    return address("runs.show", run_id=run_id, **({"_external": True} if has_request_context() else {}))


def _prefix() -> str:
    """Return the path that pushes are for; those of a page below a proxy's prefix have it from the page."""
    return str(g.get("url_prefix") or current_app.config["APPLICATION_ROOT"])
