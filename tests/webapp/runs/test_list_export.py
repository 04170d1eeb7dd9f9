"""Exports of what a search finds: complete, safe in a spreadsheet, in little memory, and for their owner only."""

import csv
import io
import json

import pytest

from jobs.runs import lease, run_text
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.support.people import claimed, make_run, owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor
from webapp.accounts import sessions, tokens
from webapp.runs import list_export


def make(backend: Backend, owner: int, text: str) -> Run:
    run = make_run(backend, owner, parameters={"text": text})
    with backend.database.write() as session:
        run_text.add(session, run)
    return run


def test_a_search_is_exported_as_csv_and_as_json_lines(
    ada: Visitor, ben: Visitor, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "AT_ONCE", 2)
    me, program = owner_id(backend, ada.email), Program.signed_in(ada.client.application, ada.email)
    runs = [make(backend, me, text) for text in ("=1+1", "café, “x”", "other", "=2", "x")]
    lease.succeed(backend.database, claimed(backend, runs[0]), ["a", 1])
    make(backend, owner_id(backend, ben.email), "of ben")
    for get, path in ((ada.get, "/runs/export"), (program.get, "/runs")):
        rows = list(csv.DictReader(io.StringIO(get(f"{path}.csv?q=task:reverse_text").data.decode("utf-8-sig"))))
        assert [row["id"] for row in rows] == [str(run.id) for run in runs[::-1]]
        assert [row["input.text"] for row in rows] == ["x", "'=2", "other", "café, “x”", "'=1+1"]
        assert (rows[4]["state"], rows[4]["result"]) == ("succeeded", '["a", 1]')
        every = csv.DictReader(io.StringIO(get(f"{path}.csv").data.decode("utf-8-sig")))
        assert next(row["parameters"] for row in every) == '{"text": "x"}'
        found = [json.loads(line) for line in get(f"{path}.jsonl?q=caf%C3%A9").data.splitlines()]
        assert [(one["id"], one["parameters"]) for one in found] == [(runs[1].id, {"text": "café, “x”"})]
        assert get(f"{path}.csv?q=colour:red").status_code == 400
        assert get(f"{path}.jsonl?q=none").data == b""
    assert b"of ben" not in ada.get("/runs/export.jsonl").data


def test_an_export_ends_with_the_session_or_the_token(
    ada: Visitor, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "AT_ONCE", 2)
    me, program = owner_id(backend, ada.email), Program.signed_in(ada.client.application, ada.email)
    for _ in range(5):
        make(backend, me, "hello")
    of_program = program.get("/runs.jsonl")
    for token in tokens.listed(backend.database, me):
        tokens.revoke(backend.database, me, token.id)
    assert len(of_program.data.splitlines()) == 2
    response = ada.get("/runs/export.jsonl")
    for one in sessions.listed(backend.database, me):
        sessions.end(backend.database, me, one.id)
    assert len(response.data.splitlines()) == 2


def test_one_export_at_a_time_until_its_reader_goes_away(ada: Visitor, backend: Backend) -> None:
    make(backend, owner_id(backend, ada.email), "hello")
    first = ada.get("/runs/export.csv")
    assert ada.get("/runs/export.csv").status_code == 429
    first.close()
    assert ada.get("/runs/export.csv").data
    assert ada.get("/runs/export.csv").status_code == 200
