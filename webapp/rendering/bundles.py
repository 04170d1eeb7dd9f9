"""Style sheets and scripts, joined in memory: the files stay separate, and a page asks for three addresses.

Each is compressed once, as far as it goes, because every first visit loads all of them.
"""

import gzip
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import cast

import brotli
from flask import Request, Response, current_app, request

from webapp.rendering.look import Look

STYLES = (
    *("tokens", "base", "layout", "menu", "forms", "files", "runs", "progress", "run", "results", "prose", "tables"),
    *("charts", "log", "pictures", "pages", "start"),
)
SCRIPTS = (
    *("live", "log", "sliders", "times", "zones", "uploads", "drops", "preview", "unread", "checks", "drafts"),
    *("folds", "filter", "focus", "copy", "toasts", "theme", "palette", "shortcuts"),
)
# In the order in which a browser reads them: the cascade and htmx's extension depend on it.
BUNDLES = {
    "styles.css": tuple(f"css/{name}.css" for name in STYLES),
    "htmx.js": ("vendor/htmx-4.0.1.min.js", "vendor/hx-ws-4.0.1.min.js"),
    "scripts.js": tuple(f"js/{name}.js" for name in SCRIPTS),
}
ACCENTED = "styles.css"  # ends with the accent colour of the settings
COMMENTS = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
# The smallest first.
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda content: brotli.compress(content, quality=11),
    "gzip": gzip.compress,
}


def paths(folder: Path, filename: str) -> tuple[Path, ...]:
    """Return the files that a static address is made of: those of a bundle, or one."""
    look = current_look()
    if look.logo and filename == look.logo_name:
        return (look.logo,)
    return tuple(folder / name for name in BUNDLES.get(filename, (filename,)))


def current_look() -> Look:
    return cast(Look, current_app.extensions["look"])


def joined(folder: Path, filename: str) -> Response:
    """Return a response with the files of a bundle, compressed if the browser accepts it."""
    content = b"\n".join(_read(path) for path in paths(folder, filename))
    if filename == ACCENTED:
        content += current_look().css
    encoding = _best_encoding(request)
    response = Response(_compressed(content, encoding), content_type=TYPES[Path(filename).suffix])
    response.vary.add("Accept-Encoding")
    if encoding:
        response.content_encoding = encoding
    response.add_etag()
    response.make_conditional(request)
    return response


def _read(path: Path) -> bytes:
    """Return a file without comments that have lines of their own, which are an eighth of what a page weighs."""
    return COMMENTS.sub(b"", path.read_bytes())


def _best_encoding(request: Request) -> str:
    return next((name for name in COMPRESSIONS if request.accept_encodings[name] > 0), "")


@lru_cache(maxsize=32)
def _compressed(content: bytes, encoding: str) -> bytes:
    return COMPRESSIONS[encoding](content) if encoding else content
