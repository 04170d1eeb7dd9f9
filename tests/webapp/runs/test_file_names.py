"""Uploads whose names are made of anything: they are taken, under a harmless name."""

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.raw_upload import END, head_of, text
from tests.support.uploading import cramped, run_of
from tests.support.visitor import ORIGIN, Visitor, soup


@pytest.fixture
def small(app: Flask, backend: Backend) -> Backend:
    return cramped(app, backend)


NAMES = {
    "naïve plan.txt".encode("cp1252"): "naïve plan.txt",
    "größe 東京 👩.txt".encode(): "größe 東京 👩.txt",
    "größe.txt".encode("cp1252"): "größe.txt",
    b"a\x81\xff.txt": "a\ufffdÿ.txt",
    b"say %22cheese%22.txt": 'say "cheese".txt',
    b'\\"cheese\\" again.txt': '"cheese" again.txt',
    b"two%0D%0Alines.txt": "two  lines.txt",
    b"it's; a=b.txt": "it's; a=b.txt",
    b"..": "file",
    b"../../x.txt": "x.txt",
    b"nul\x00.txt": "nul.txt",
    b"C:\\\\boot.txt": "boot.txt",
    "\u202etxt.exe".encode(): "txt.exe",
    b"x" * 300 + b".txt": "x" * 96 + ".txt",
}


def test_a_file_is_taken_whatever_its_name_is_made_of(ada: Visitor, small: Backend) -> None:
    head = head_of("pages", "NAME")
    parts = [head.replace(b"NAME", name) + b"\r\n" for name in NAMES]  # files without content
    body = b"".join([text("title", "x"), head_of("cover", "a.txt"), b"x\r\n", *parts]) + END[2:]
    response = ada.client.post(
        "/tasks/bind", data=body, headers=ORIGIN, content_type="multipart/form-data; boundary=dumbwaiter"
    )
    run = run_of(small, response)
    assert [page["$file"]["name"] for page in run.parameters["pages"]] == list(NAMES.values())
    links = soup(ada.get(f"/runs/{run.id}")).select(".given-file__name")
    assert [link.text for link in links[1:]] == list(NAMES.values())
    assert ada.get(str(links[-1]["href"])).data == b""
