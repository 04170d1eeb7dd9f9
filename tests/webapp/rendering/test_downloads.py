"""Files among results: shown with their name, size and hash, and only those that the run has stored."""

import io
from typing import Any

import pytest
from PIL import Image

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.support.people import claimed, make_run, note_file, owner_id
from tests.support.visitor import Visitor, soup, the

CONTENT = b"<script>alert(1)</script>"


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    return claimed(backend, make_run(backend, owner_id(backend, ada.email)))


def reference(backend: Backend, run: Run, content: bytes = CONTENT, **more: Any) -> dict[str, Any]:
    name, media_type = more.get("name", "report.html"), more.get("media_type", "text/html")
    file = note_file(backend, run.id, content, media_type, name)
    return {"$file": {"sha256": file.sha256, "size": file.size, "name": name, "media_type": media_type, **more}}


def test_a_file_is_shown_and_only_ever_downloaded(ada: Visitor, ben: Visitor, backend: Backend, run: Run) -> None:
    kept = reference(backend, run)
    lease.succeed(backend.database, run, kept)
    result = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__result")
    assert the(result, ".file__name").text == "report.html"
    assert the(result, ".file__size").text == "25 bytes"
    assert the(result, ".file__hash code").text == kept["$file"]["sha256"]
    address = str(the(result, "a[download]")["href"])
    response = ada.get(address)
    assert response.data == CONTENT
    assert response.headers["Content-Disposition"] == "attachment; filename=report.html"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert ada.get(address, headers={"Range": "bytes=0-7"}).data == b"<script>"
    assert ben.get(address).status_code == 404
    assert the(soup(ada.get("/runs")), ".run__result").text.strip() == "report.html"


def test_a_picture_is_shown_as_one(ada: Visitor, backend: Backend, run: Run) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3)).save(stream, "PNG")
    kept = reference(backend, run, stream.getvalue(), name="a.png", media_type="image/png", width=4, height=3)
    lease.succeed(backend.database, run, {"files": [kept, "text"]})
    image = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__result img")
    assert (image["width"], image["height"], image["alt"]) == ("4", "3", "a.png")
    assert ada.get(str(image["src"])).headers["Content-Type"] == "image/png"


def test_what_another_run_has_stored_is_only_words(ada: Visitor, ben: Visitor, backend: Backend, run: Run) -> None:
    foreign = reference(backend, make_run(backend, owner_id(backend, ben.email)))
    lease.succeed(backend.database, run, foreign)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert page.select("#main a[download]") == []
    assert foreign["$file"]["sha256"] in the(page, ".run-full__result").text
    assert "report.html" in the(soup(ada.get("/runs")), ".run__result").text


def test_a_misleading_name_is_tamed(ada: Visitor, backend: Backend, run: Run) -> None:
    lease.succeed(backend.database, run, reference(backend, run, name="invoice\u202efdp.exe"))
    assert the(soup(ada.get(f"/runs/{run.id}")), ".file__name").text == "invoicefdp.exe"
