"""Downloads of what a run has produced: a text of its result, its log, and everything at once."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from datetime import UTC, datetime

import pytest

from jobs import Markdown
from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.values.json_value import json_value
from tests.support.people import claimed, make_run, note_file, owner_id
from tests.support.stored_files import lose
from tests.support.visitor import Visitor, soup, the
from tests.webapp.runs.test_output import put_out
from webapp.rendering.archive import archived

LONG = "\n".join(f"line {number}" for number in range(60))


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    return claimed(backend, make_run(backend, owner_id(backend, ada.email)))


def reference(backend: Backend, run: Run, name: str, content: bytes) -> dict[str, dict[str, object]]:
    file = note_file(backend, run.id, content, "text/plain", name)
    return {"$file": {"sha256": file.sha256, "size": file.size, "name": name, "media_type": "text/plain"}}


def test_a_long_text_is_folded_and_can_be_downloaded(ada: Visitor, ben: Visitor, backend: Backend, run: Run) -> None:
    lease.succeed(backend.database, run, json_value([LONG, "short", Markdown("# M"), 5]))
    first, second = soup(ada.get(f"/runs/{run.id}")).select(".copyable")
    assert the(first, "details.fold + pre").text == LONG
    assert "Show all 60 lines" in the(first, "summary").text
    assert second.select("details") == []
    address = str(the(first, "a[download]")["href"])
    response = ada.get(address)
    assert (response.text, response.headers["Content-Type"]) == (LONG, "text/plain; charset=utf-8")
    assert response.headers["Content-Disposition"] == f"attachment; filename=reverse_text-{run.id}.txt"
    assert ada.get(f"/runs/{run.id}/text?part=2").text == "# M"
    assert [ada.get(f"/runs/{run.id}/text?part={part}").status_code for part in ("3", "9", "x")] == [404] * 3
    assert ben.get(address).status_code == 404


def test_the_log_can_be_downloaded(ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "one", "<b>")
    put_out(backend, run, "careful", source="warning")
    link = the(soup(ada.get(f"/runs/{run.id}")), f"#run-{run.id}-log a[download]")
    response = ada.get(str(link["href"]))
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    at = "1970-01-01 00:00:01Z"
    assert response.text == f"{at} one\n{at} <b>\n{at} warning: careful\n"


def test_everything_is_in_one_archive(ada: Visitor, ben: Visitor, backend: Backend, run: Run) -> None:
    files = [
        reference(backend, run, name, content) for name, content in (("a.txt", b"1"), ("../a.txt", b"22"), ("b", b"3"))
    ]
    foreign = {"$file": {**files[0]["$file"], "sha256": "0" * 64}}
    put_out(backend, run, "said")
    lease.succeed(backend.database, run, {"best": [{"n": 1}], "files": [*files, files[0], foreign]})
    lose(backend, hashlib.sha256(b"3").hexdigest())
    address = str(the(soup(ada.get(f"/runs/{run.id}")), ".result__everything a")["href"])
    response = ada.get(address)
    assert response.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        assert archive.testzip() is None
        content = {name: archive.read(name) for name in archive.namelist()}
    assert list(content) == ["result.json", "best.csv", "a.txt", "a (2).txt", "log.txt"]
    assert json.loads(content["result.json"])["best"] == [{"n": 1}]
    assert content["best.csv"].decode("utf-8-sig") == "n\r\n1\r\n"
    assert (content["a.txt"], content["a (2).txt"]) == (b"1", b"22")
    assert ben.get(address).status_code == 404


def test_plain_values_have_nothing_more_to_download(ada: Visitor, backend: Backend, run: Run) -> None:
    lease.succeed(backend.database, run, {"a": 1, "b": [1, 2]})
    assert soup(ada.get(f"/runs/{run.id}")).select(".result__everything") == []


def test_an_archive_takes_the_memory_of_a_chunk() -> None:
    chunks = (bytes(64 * 1024) for _ in range(400))
    tracemalloc.start()
    size = sum(map(len, archived([("large", chunks)], datetime(2026, 1, 1, tzinfo=UTC))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 400 * 64 * 1024
    assert peak < 2_000_000
