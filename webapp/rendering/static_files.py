"""Static files, which browsers cache for a year, and the compression of responses."""

import hashlib
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from flask import Flask, current_app, request, send_from_directory
from flask_compress import Compress
from werkzeug.wrappers import Response

from webapp.current import backend_of
from webapp.rendering import bundles
from webapp.rendering.look import Look, look_of

compress = Compress()

KEPT = timedelta(days=365)
NO_LOOK = Look()


def init_app(app: Flask) -> None:
    """Serve static files, and compress texts and pages for browsers that accept it.

    Streamed responses, such as downloads and their ranges, are sent unchanged, and so are WebSocket messages. The
    size of a compressed page reveals a secret only if the page also holds text of an attacker's choice (BREACH).
    No page holds a CSRF token: the origin of a request is checked instead.
    """
    app.view_functions["static"] = send_static
    app.extensions["look"] = look_of(backend_of(app).settings)
    app.config.update(COMPRESS_REGISTER=False, COMPRESS_STREAMS=False, COMPRESS_ALGORITHM=["zstd", "br", "gzip"])
    app.after_request(lambda response: response if response.is_streamed else compress.after_request(response))
    compress.init_app(app)


def send_static(filename: str) -> Response:
    """Send a static file or a bundle. At an address with its current fingerprint, browsers may cache it forever."""
    folder = Path(str(current_app.static_folder))
    paths = bundles.paths(folder, filename)
    response: Response
    if filename in bundles.BUNDLES:
        response = bundles.joined(folder, filename)
    elif filename == bundles.current_look().logo_name:
        response = _whole(paths[0].parent, paths[0].name)
    else:
        response = _whole(folder, filename)
    response.cache_control.no_cache = True
    if request.args.get("v") == fingerprint(*paths, look=bundles.current_look()):
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.immutable = True
        response.cache_control.max_age = int(KEPT.total_seconds())
    return response


def _whole(folder: Path, filename: str) -> Response:
    response = send_from_directory(folder, filename, conditional=False)
    response.direct_passthrough = False
    response.make_sequence()  # no longer a stream, so that it is compressed
    return response


def fingerprint(*paths: Path, look: Look = NO_LOOK) -> str:
    """Return a short hash of the files' content and of the look, read again when one of them has changed."""
    return _fingerprint(paths, tuple(path.stat().st_mtime_ns for path in paths), look.css)


@lru_cache(maxsize=256)
def _fingerprint(paths: tuple[Path, ...], _modified: tuple[int, ...], css: bytes) -> str:
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in paths) + css).hexdigest()[:10]
