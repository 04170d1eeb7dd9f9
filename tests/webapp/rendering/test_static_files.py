"""Static files are kept by browsers for good, and what is text is compressed."""

import gzip
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from backports import zstd

from jobs.runs.backend import Backend
from tests.support.people import make_run, note_file, owner_id
from tests.support.visitor import Visitor, soup
from webapp.rendering.bundles import BUNDLES, COMMENTS
from webapp.rendering.static_files import fingerprint

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


STATIC = Path(__file__).parents[3] / "static"


def assets(visitor: Visitor) -> set[str]:
    """Return the addresses of all static files that a page names."""
    page = soup(visitor.get("/"))
    named = [element.get("src") or element.get("href") for element in page.select("script, link, use")]
    return {str(address).partition("#")[0] for address in named if str(address).startswith("/static/")}


def test_every_file_that_a_page_names_is_kept_for_good_and_brings_no_session(ada: Visitor) -> None:
    found = assets(ada)
    assert {address.partition("?")[0] for address in found} >= {f"/static/{name}" for name in BUNDLES}
    for address in found:
        response = ada.get(address)
        assert response.status_code == 200, address
        assert "immutable" in response.headers["Cache-Control"]
        assert "max-age=31536000" in response.headers["Cache-Control"]
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers["Vary"].split(", ")


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789"])
def test_a_file_whose_content_may_change_is_asked_for_again(ada: Visitor, query: str) -> None:
    response = ada.get(f"/static/js/live.js{query}")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-cache")
    assert "Set-Cookie" not in response.headers


def test_a_changed_file_has_another_address(tmp_path: Path) -> None:
    file = tmp_path / "a.css"
    file.write_text("a {}")
    before = fingerprint(file)
    file.write_text("b { margin: 0 }")
    assert fingerprint(file) != before


@pytest.mark.parametrize("encoding", DECOMPRESS)
def test_pages_and_static_files_are_compressed_for_browsers_that_ask(ada: Visitor, encoding: str) -> None:
    for address in ("/static/js/live.js", "/static/icons.svg"):
        plain = ada.get(address)
        compressed = ada.get(address, headers={"Accept-Encoding": encoding})
        assert "Content-Encoding" not in plain.headers
        assert compressed.headers["Content-Encoding"] == encoding
        assert DECOMPRESS[encoding](compressed.data) == plain.data
        assert len(compressed.data) < len(plain.data) / 2
        assert "Accept-Encoding" in compressed.headers["Vary"]
    page = ada.get("/tasks/reverse_text", headers={"Accept-Encoding": encoding})
    assert DECOMPRESS[encoding](page.data).endswith(b"</html>")


def test_an_asset_that_the_browser_has_is_not_sent_again(ada: Visitor) -> None:
    accepted = {"Accept-Encoding": "zstd"}
    tag = ada.get("/static/js/live.js", headers=accepted).headers["ETag"]
    again = ada.get("/static/js/live.js", headers={**accepted, "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_a_file_of_a_run_and_its_ranges_are_sent_as_they_are(backend: Backend, ada: Visitor) -> None:
    content = b"name,value\n" * 10_000
    run = make_run(backend, owner_id(backend, ada.email))
    file = note_file(backend, run.id, content, "text/plain")
    address = f"/runs/{run.id}/files/{file.sha256}"
    whole = ada.get(address, headers={"Accept-Encoding": "zstd, gzip"})
    assert (whole.data, whole.headers.get("Content-Encoding")) == (content, None)
    part = ada.get(address, headers={"Accept-Encoding": "zstd, gzip", "Range": "bytes=5-20"})
    assert (part.status_code, part.data, part.headers.get("Content-Encoding")) == (206, content[5:21], None)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_bundle_has_all_its_files_in_order_and_compressed(ada: Visitor, encoding: str) -> None:
    for bundle, names in BUNDLES.items():
        compressed = ada.get(f"/static/{bundle}", headers={"Accept-Encoding": encoding})
        whole = b"\n".join(COMMENTS.sub(b"", (STATIC / name).read_bytes()) for name in names)
        assert compressed.headers["Content-Encoding"] == encoding
        assert compressed.headers["Vary"] == "Accept-Encoding"
        assert DECOMPRESS[encoding](compressed.data) == whole == ada.get(f"/static/{bundle}").data
        known = {"Accept-Encoding": encoding, "If-None-Match": compressed.headers["ETag"]}
        assert (ada.get(f"/static/{bundle}", headers=known).status_code) == 304


def test_only_comments_that_have_lines_of_their_own_are_left_out() -> None:
    source = b"/* one\n * two */\n  // three\na: url(//host/x); /* four */\n  const b = 1; // five\n"
    assert COMMENTS.sub(b"", source) == b"a: url(//host/x); /* four */\n  const b = 1; // five\n"


def test_every_style_sheet_and_script_is_in_a_bundle_or_on_its_own_pages() -> None:
    bundled = {name for names in BUNDLES.values() for name in names}
    files = {str(path.relative_to(STATIC)) for kind in ("css", "js") for path in (STATIC / kind).iterdir()}
    assert files - bundled == {"css/api.css", "css/webhooks.css"}


def test_no_static_file_is_found_outside_its_folder(visitor: Visitor) -> None:
    for path in ("../config.py", "%2e%2e/config.py", "js/../../config.py", "nowhere.js", "js"):
        assert visitor.get(f"/static/{path}").status_code == 404
