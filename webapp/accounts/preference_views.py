"""Preferences: the theme and the shortcuts of this browser, and the time zone and the mails of an account."""

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
SINGLE_KEYS = "single_keys"
KEPT = timedelta(days=365)


def init_app(app: Flask) -> None:
    app.context_processor(chosen_in_browser)
    app.jinja_env.globals.update(zones=zones)


def chosen_in_browser() -> dict[str, str | bool]:
    """Return the theme that was chosen in this browser, and whether shortcuts of a single key are on."""
    theme = request.cookies.get(COOKIE)
    return {
        "theme": theme if theme in THEMES else "system",
        "single_keys": request.cookies.get(SINGLE_KEYS) != "off",
    }


@bp.post("/account/theme")
def set_theme() -> Response:
    """Keep a theme in a cookie: it is a matter of the screen, and holds when nobody is signed in."""
    theme = request.form.get("theme")
    if theme not in THEMES:
        abort(422)
    return _kept_in_browser(COOKIE, theme)


@bp.post("/account/shortcuts")
def set_shortcuts() -> Response:
    """Switch shortcuts of a single key on or off in this browser (WCAG 2.1.4): its keyboard or dictation decides."""
    return _kept_in_browser(SINGLE_KEYS, "off" if request.form.get("single_keys") == "off" else "on")


def _kept_in_browser(name: str, value: str) -> Response:
    response = redirect(page_asking(), 303)
    path = request.script_root or "/"
    response.set_cookie(name, value, max_age=KEPT, path=path, secure=request.is_secure, httponly=True, samesite="Lax")
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
