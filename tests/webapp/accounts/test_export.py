"""Downloading everything that one has here."""

import io
import json
import tracemalloc
import zipfile
from typing import Any

import pytest

from jobs.runs import audit, output
from jobs.runs.backend import Backend
from jobs.runs.file_ownership import note_uploads
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.run import State
from jobs.values.stored_file import RunFile
from tests.support.people import claimed, execute, make_run, note_file, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.accounts import export, tokens, users
from webapp.accounts.tokens import Grant

MB = 1_000_000


def downloaded(visitor: Visitor) -> zipfile.ZipFile:
    response = visitor.post("/account/export")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith("attachment; filename=data-")
    archive = zipfile.ZipFile(io.BytesIO(response.data))
    response.close()
    assert archive.testzip() is None
    return archive


def runs_in(archive: zipfile.ZipFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read("runs.jsonl").splitlines()]


@pytest.mark.both_stores
def test_an_archive_has_all_that_is_ones_own_and_no_secret(
    ada: Visitor, ben: Visitor, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.runs.own_data.AT_ONCE", 2)
    ada_id, ben_id = owner_id(backend, ada.email), owner_id(backend, ben.email)
    run_id = ada.submit("reverse_text", text="Grüße")
    execute(backend, run_id)
    failed = make_run(backend, ada_id, state=State.FAILED, error_kind="ValueError", error_message="no")
    note_file(backend, run_id, b"the result", "text/csv", "a/../b\n.csv")
    running = claimed(backend, make_run(backend, ada_id))
    lines = Batch(OutputKind.LOG, [Entry(1.5, "out", "half done")], 109)
    assert output.store(backend.database, running, [lines])
    for run in (failed, *(make_run(backend, ada_id) for _ in range(3))):
        note_file(backend, run.id, b"the result", "text/csv", "again.csv")
    note_file(backend, failed.id, b"another", "text/csv", "b.csv")
    note_file(backend, make_run(backend, ben_id).id, b"of ben", "text/plain", "ben.txt")
    for content in (b"sent", b"the result"):
        note_uploads(backend.database, ada_id, [RunFile(*backend.files.put(content), "sent.txt", "text/plain")], MB)
    ada.post("/account/secrets", {"name": "API_TOKEN", "value": "hidden value"})
    ada.post("/account/webhooks", {"url": "https://example.com/hook"})
    ada.post("/pins", {"pin": "count_words"})
    ada.post(f"/runs/{run_id}/shares", {"kind": "person", "email": ben.email, "part": "log"})
    ada.post("/tasks/reverse_text/presets", {"text": "abc"})
    _token, secret = tokens.create(backend.database, ada_id, Grant("laptop"))
    archive = downloaded(ada)
    account, runs = json.loads(archive.read("account.json")), runs_in(archive)
    assert (account["email"], account["secrets"], len(account["sessions"])) == (ada.email, ["API_TOKEN"], 1)
    assert [account["tokens"][0]["name"], account["webhooks"][0]["url"]] == ["laptop", "https://example.com/hook"]
    assert account["pinned_tasks"] == ["count_words"]
    (share,) = account["shares"]
    assert (share["run_id"], share["whom"], share["parts"]) == (run_id, ben.email, ["log"])
    assert account["presets"][0]["parameters"] == {"text": "abc"}
    assert [run["id"] for run in runs] == sorted({run["id"] for run in runs})
    assert (runs[2]["state"], runs[2]["log"][0]["content"]) == ("running", "half done")
    assert (len(runs), runs[0]["parameters"], runs[0]["result"]) == (6, {"text": "Grüße"}, "eßürG")
    assert (runs[1]["state"], runs[1]["error"]["message"]) == ("failed", "no")
    names = {name.rpartition("/")[2][9:]: name for name in archive.namelist() if name.startswith("files/")}
    assert set(names) == {"b.csv", "sent.txt"}
    contents = sorted(archive.read(name) for name in archive.namelist() if name.startswith("files/"))
    assert contents == [b"another", b"sent", b"the result"]
    assert len(runs[1]["files"]) == 2
    assert {path for run in runs for path in run["files"]} <= set(archive.namelist())
    assert runs[0]["files"] == runs[3]["files"]  # the same content is there once
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert not any(text in everything for text in (b"hidden value", secret.encode(), b"of ben"))
    exported = audit.listed(backend.database, verb="data exported")
    assert [entry.object for entry in exported] == [ada.email]


def test_a_file_that_is_lost_is_named(ada: Visitor, backend: Backend) -> None:
    run = make_run(backend, owner_id(backend, ada.email))
    lost, kept = (note_file(backend, run.id, content, name=content.decode()) for content in (b"lost", b"kept"))
    path = f"{lost.sha256[:2]}"
    for object_file in (backend.settings.files / path).iterdir():
        if lost.sha256[2:] in object_file.name:
            object_file.unlink()
    archive = downloaded(ada)
    assert f"files/run-{run.id}/{lost.sha256[:8]}-lost" in archive.read("missing.txt").decode()
    assert archive.read(f"files/run-{run.id}/{kept.sha256[:8]}-kept") == b"kept"


def test_a_large_archive_is_never_in_memory(ada: Visitor, backend: Backend) -> None:
    run = make_run(backend, owner_id(backend, ada.email))
    for number in range(3):
        note_file(backend, run.id, bytes([number]) * 4 * MB, name=f"{number}.bin")
    account = users.with_email(backend.database, ada.email)
    assert account
    tracemalloc.start()
    try:
        sent = sum(map(len, export.stream(backend, account)))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent > 12 * MB
    assert peak < 2 * MB


def test_one_download_at_a_time(ada: Visitor) -> None:
    begun = ada.post("/account/export")
    response = ada.post("/account/export")
    assert response.status_code == 429
    assert "Your data is being downloaded already." in the(soup(response), "#export").text
    begun.close()
    assert downloaded(ada).namelist() == ["account.json", "runs.jsonl"]
    assert downloaded(ada)  # the first one has ended


def test_the_data_is_offered_before_the_account_is_deleted(ada: Visitor) -> None:
    page = soup(ada.get("/account"))
    button, form = the(page, "#delete button[form=export-form]"), the(page, "form#export-form")
    assert button.text == "Download my data first"
    assert form["action"] == "/account/export"
