"""What people choose for themselves: the theme, in this browser."""

from datetime import timedelta
from typing import Literal, get_args

from flask import Blueprint, Flask, abort, redirect, request
from werkzeug.wrappers import Response

from webapp.accounts.auth import page_asking

bp = Blueprint("preferences", __name__)

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)
COOKIE = "theme"
KEPT = timedelta(days=365)


def init_app(app: Flask) -> None:
    app.context_processor(lambda: {"theme": chosen_theme()})


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
