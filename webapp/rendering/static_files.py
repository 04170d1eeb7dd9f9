"""Static files, which browsers cache for a year, and the compression of responses."""

import hashlib
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from flask import Flask, current_app, request, send_from_directory
from flask_compress import Compress
from werkzeug.wrappers import Response

from webapp.rendering import bundles

compress = Compress()

KEPT = timedelta(days=365)


def init_app(app: Flask) -> None:
    """Serve static files, and compress texts and pages for browsers that accept it.

    Streamed responses, such as downloads and their ranges, are sent unchanged, and so are WebSocket messages. The
    size of a compressed page reveals a secret only if the page also holds text of an attacker's choice (BREACH).
    No page holds a CSRF token: the origin of a request is checked instead.
    """
    app.view_functions["static"] = send_static
    app.config.update(COMPRESS_REGISTER=False, COMPRESS_STREAMS=False, COMPRESS_ALGORITHM=["zstd", "br", "gzip"])
    app.after_request(lambda response: response if response.is_streamed else compress.after_request(response))
    compress.init_app(app)


def send_static(filename: str) -> Response:
    """Send a static file or a bundle. At an address with its current fingerprint, browsers may cache it forever."""
    folder = Path(str(current_app.static_folder))
    response = bundles.joined(folder, filename) if filename in bundles.BUNDLES else _whole(folder, filename)
    response.cache_control.no_cache = True
    if request.args.get("v") == fingerprint(*bundles.paths(folder, filename)):
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


def fingerprint(*paths: Path) -> str:
    """Return a short hash of the files' content, read again when one of them has changed."""
    return _fingerprint(paths, tuple(path.stat().st_mtime_ns for path in paths))


@lru_cache(maxsize=256)
def _fingerprint(paths: tuple[Path, ...], _modified: tuple[int, ...]) -> str:
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in paths)).hexdigest()[:10]
