"""The preferences of people: the theme, in this browser, and the time zone and mails, with their account."""

from datetime import timedelta
from functools import cache
from typing import Literal, get_args
from zoneinfo import available_timezones

from flask import Blueprint, Flask, abort, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from webapp.accounts import users
from webapp.accounts.auth import page_asking
from webapp.current import backend

bp = Blueprint("preferences", __name__)

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)
COOKIE = "theme"
KEPT = timedelta(days=365)


def init_app(app: Flask) -> None:
    app.context_processor(lambda: {"theme": chosen_theme()})
    app.jinja_env.globals.update(zones=zones)


def chosen_theme() -> str:
    """Return the theme that was chosen in this browser."""
    chosen = request.cookies.get(COOKIE)
    return chosen if chosen in THEMES else "system"


@bp.post("/account/theme")
def set_theme() -> Response:
    """Keep a theme in a cookie: it is a matter of the screen, and holds when nobody is signed in."""
    theme = request.form.get("theme")
    if theme not in THEMES:
        abort(422)
    response = redirect(page_asking(), 303)
    path = request.script_root or "/"
    response.set_cookie(COOKIE, theme, max_age=KEPT, path=path, secure=request.is_secure, httponly=True, samesite="Lax")
    return response


@bp.post("/account/preferences")
def save() -> Response:
    """Save the time zone and the wish for mails; without a mail server the wish stays as it is."""
    zone = request.form.get("zone", "")
    if zone and zone not in zones():
        abort(422)
    wished = "mail_at_end" in request.form if backend().settings.mail_url else current_user.mail_at_end
    users.set_preferences(backend().database, current_user.id, zone, wished)
    return redirect(url_for("auth.account", saved=1, _anchor="preferences"), 303)


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the time zones that can be chosen: places, and UTC."""
    places = (name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return (*sorted(places), "UTC")
