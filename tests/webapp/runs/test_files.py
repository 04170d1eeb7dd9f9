"""Files of runs: to their owner only, streamed, and never as a page that could do something."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, ClassVar
from urllib.parse import unquote

import pytest
from flask import Flask
from sqlalchemy import update

from jobs.runs.backend import Backend
from jobs.runs.files import RecordedFiles
from jobs.runs.run import Run
from jobs.runs.run_files import RunFileRow
from jobs.storage.s3_store import Bucket, S3Store
from jobs.values.images import DRAWING
from jobs.values.stored_file import RunFile
from tests.support.people import make_run, note_file, owner_id
from tests.support.stack import free_port
from tests.support.stored_files import lose
from tests.support.visitor import Visitor
from webapp.current import put_backend
from webapp.rendering.files import safe_filename

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    return make_run(backend, owner_id(backend, ada.email))


@pytest.fixture
def file(backend: Backend, run: Run) -> RunFile:
    return note_file(backend, run.id, CONTENT)


def address(run: Run, file: RunFile) -> str:
    return f"/runs/{run.id}/files/{file.sha256}"


def rewrite(backend: Backend, **values: str) -> None:
    with backend.database.write() as session:
        session.execute(update(RunFileRow).values(**values))


@pytest.mark.both_stores
def test_its_owner_gets_a_file_whole_and_for_good(ada: Visitor, run: Run, file: RunFile) -> None:
    response = ada.get(address(run, file))
    assert (response.status_code, response.data) == (200, CONTENT)
    expected = {
        "Content-Type": "image/png",
        "Content-Length": str(len(CONTENT)),
        "Content-Disposition": "inline; filename=a.png",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=60, must-revalidate",
        "ETag": f'"{file.sha256}"',
        "Accept-Ranges": "bytes",
    }
    assert {name: response.headers[name] for name in expected} == expected
    assert not {"Set-Cookie", "Vary"} & set(response.headers.keys()), "a browser would ask again each time"


@pytest.mark.both_stores
def test_nobody_else_gets_it(ben: Visitor, visitor: Visitor, backend: Backend, run: Run, file: RunFile) -> None:
    other = make_run(backend, owner_id(backend, ben.email))
    for path in (address(run, file), address(other, file)):
        response = ben.get(path)
        assert response.status_code == 404
        assert response.headers["Cache-Control"] == "no-store"
    assert visitor.get(address(run, file)).status_code in (302, 303)
    assert note_file(backend, other.id, CONTENT) == file, "kept once, for both"
    assert ben.get(address(other, file)).status_code == 200
    assert ben.get(address(run, file)).status_code == 404


def test_a_browser_that_has_it_gets_nothing_again(ada: Visitor, run: Run, file: RunFile) -> None:
    response = ada.get(address(run, file), headers={"If-None-Match": f'"{file.sha256}"'})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["Cache-Control"] == "private, max-age=60, must-revalidate"


@pytest.mark.both_stores
@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-9", 0, 10), ("bytes=255990-", 255990, 256000), ("bytes=-5", 255995, 256000)]
)
def test_a_part_of_it_can_be_asked_for(ada: Visitor, run: Run, file: RunFile, asked: str, start: int, end: int) -> None:
    response = ada.get(address(run, file), headers={"Range": asked})
    assert (response.status_code, response.data) == (206, CONTENT[start:end])
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"


@pytest.mark.both_stores
def test_a_part_beyond_its_end_is_refused(ada: Visitor, run: Run, file: RunFile) -> None:
    response = ada.get(address(run, file), headers={"Range": "bytes=999999-"})
    assert (response.status_code, response.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("asked", ["bytes=0-9,20-29", "lines=1-2", "bytes=9-0", "nonsense"])
def test_who_asks_for_parts_in_another_way_gets_it_whole(ada: Visitor, run: Run, file: RunFile, asked: str) -> None:
    response = ada.get(address(run, file), headers={"Range": asked})
    assert (response.status_code, response.data) == (200, CONTENT)


class Forwards:
    """A web server's file wrapper, which records what it reads."""

    read: ClassVar[list[bytes]] = []

    def __init__(self, file: BinaryIO, _size: int = 8192) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.file.read(1000):
            self.read.append(chunk)
            yield chunk


@pytest.mark.both_stores
def test_nothing_before_a_part_is_read(ada: Visitor, run: Run, file: RunFile) -> None:
    server = {"wsgi.file_wrapper": Forwards}
    Forwards.read.clear()
    response = ada.get(address(run, file), headers={"Range": "bytes=255990-"}, environ_overrides=server)
    assert (response.data, Forwards.read) == (CONTENT[255990:], [])
    assert ada.get(address(run, file), environ_overrides=server).data == CONTENT == b"".join(Forwards.read)


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "image/svg+xml", "application/pdf", "text/plain", "image/png; charset=x", "", "IMAGE/SVG"],
)
def test_an_unsafe_image_is_only_downloaded(ada: Visitor, backend: Backend, run: Run, media_type: str) -> None:
    page = note_file(backend, run.id, b"<script>alert(1)</script>", media_type, "page.html")
    response = ada.get(address(run, page))
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == "attachment; filename=page.html"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_only_what_is_a_pdf_is_shown_in_place_and_only_where_asked(ada: Visitor, backend: Backend, run: Run) -> None:
    pdf = note_file(backend, run.id, b"%PDF-1.7 x", "application/pdf", "report.pdf")
    html = note_file(backend, run.id, b"<script>alert(1)</script>", "application/pdf", "b.pdf")
    text = note_file(backend, run.id, b"%PDF-1.7 y", "text/html", "c.html")
    response = ada.get(f"{address(run, pdf)}?inline=1")
    assert (response.data, response.headers["Content-Type"]) == (b"%PDF-1.7 x", "application/pdf")
    assert response.headers["Content-Disposition"] == "inline; filename=report.pdf"
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'self'"} <= set(policy)
    for path in (address(run, pdf), f"{address(run, html)}?inline=1", f"{address(run, text)}?inline=1"):
        headers = ada.get(path).headers
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith("attachment")
        assert headers["Content-Security-Policy"].startswith("sandbox")
        assert headers["X-Frame-Options"] == "DENY"


def test_a_drawing_is_an_image_within_a_page_and_a_download_on_its_own(
    ada: Visitor, backend: Backend, run: Run
) -> None:
    drawing = note_file(backend, run.id, b"<svg/>", DRAWING, "plot.svg")
    headers = ada.get(address(run, drawing)).headers
    assert headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert headers["Content-Disposition"] == "attachment; filename=plot.svg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert headers["Content-Security-Policy"] == policy


HOSTILE = {
    "../../etc/passwd": "passwd",
    "..\\..\\boot.ini": "boot.ini",
    "a\r\nSet-Cookie: x=1": "aSet-Cookie: x=1",
    ".htaccess": "htaccess",
    "...": "file",
    "": "file",
    "/": "file",
    "nul\x00l.png": "null.png",
    "invoice\u202efdp.exe": "invoicefdp.exe",
    '"; filename="evil.exe': '"; filename="evil.exe',
    "Bild \u00e4\u00f6.png": "Bild \u00e4\u00f6.png",
    "x" * 300 + ".png": "x" * 96 + ".png",
    "\ud800.png": "png",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_tamed(name: str) -> None:
    assert safe_filename(name) == HOSTILE[name]


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\x00" not in name and "\ud800" not in name])
def test_a_hostile_name_stays_a_name_in_the_answer(
    ada: Visitor, backend: Backend, run: Run, file: RunFile, name: str
) -> None:
    rewrite(backend, name=name[:200], media_type="text/html")
    response = ada.get(address(run, file))
    assert response.status_code == 200
    assert "Set-Cookie: x" not in str(response.headers).replace("aSet-Cookie", "")
    told = response.headers["Content-Disposition"]
    assert told.startswith("attachment; filename")
    assert "/" not in unquote(told.replace("UTF-8''", ""))


@pytest.mark.parametrize(
    "sha256", ["x", "%00", "..%2f..", "0" * 64, "A" * 64, hashlib.sha256(CONTENT).hexdigest() + "%0a", "%ED%A0%80"]
)
def test_an_address_of_no_file_is_not_found(ada: Visitor, run: Run, file: RunFile, sha256: str) -> None:
    assert ada.get(f"/runs/{run.id}/files/{sha256}").status_code == 404
    assert ada.get(f"/runs/{10**30}/files/{file.sha256}").status_code == 404


@pytest.mark.both_stores
def test_a_file_that_the_store_has_lost_is_not_found_and_says_so(
    ada: Visitor, backend: Backend, run: Run, file: RunFile
) -> None:
    lose(backend, file.sha256)
    response = ada.get(address(run, file))
    assert response.status_code == 404
    assert "has been deleted" in response.text


def test_a_store_that_is_away_says_what_to_do(
    app: Flask, backend: Backend, ada: Visitor, run: Run, file: RunFile, tmp_path: Path
) -> None:
    away = S3Store(Bucket("bucket", "", f"http://127.0.0.1:{free_port()}"), tmp_path)
    put_backend(app, replace(backend, files=RecordedFiles(away, backend.database)))
    response = ada.get(address(run, file))
    assert response.status_code == 503
    assert "Try again in a moment" in response.text
