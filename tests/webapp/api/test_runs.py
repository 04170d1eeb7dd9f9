"""Runs over the API: submit, read, list, wait, cancel, retry, output, result and files."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.support.people import claimed, note_file
from tests.support.program import Program
from tests.support.visitor import Visitor


def run_of(backend: Backend, run_id: int) -> Run:
    with backend.database.read() as session:
        found = session.get(Run, run_id)
    assert found
    return found


def test_a_run_is_started_with_its_parameters_as_json(program: Program) -> None:
    response = program.post("/tasks/reverse_text/runs", {"text": "hello"})
    assert response.status_code == 201
    run = response.get_json()
    assert response.headers["Location"] == run["url"] == f"/api/v1/runs/{run['id']}"
    shown = {name: run[name] for name in ("task", "state", "version", "parameters", "result", "error")}
    assert shown == {
        "task": "reverse_text",
        "state": "queued",
        "version": 1,
        "parameters": {"text": "hello"},
        "result": None,
        "error": None,
    }
    assert program.get(f"/runs/{run['id']}").get_json() == run


def test_a_finished_run_has_its_result(program: Program, backend: Backend) -> None:
    run_id = program.submit("reverse_text", text="hello")["id"]
    assert program.get(f"/runs/{run_id}/result").status_code == 409
    lease.succeed(backend.database, claimed(backend, run_of(backend, run_id)), {"text": "olleh"})
    assert program.get(f"/runs/{run_id}").get_json()["result"] == {"text": "olleh"}
    assert program.get(f"/runs/{run_id}/result").get_json() == {"text": "olleh"}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/text"]),
        ({"text": ""}, ["/text"]),
        ({"text": "x" * 1001}, ["/text"]),
        ({"text": "a\x00b"}, ["/text"]),
        ({"text": ["x"]}, ["/text"]),
        ({"text": {"x": 1}}, ["/text"]),
        ({"text": "x", "txet": "y", "a/b~c": 1}, ["/txet", "/a~1b~0c"]),
    ],
)
def test_each_wrong_parameter_is_named(program: Program, body: Any, pointers: list[str]) -> None:
    response = program.post("/tasks/reverse_text/runs", body)
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    assert [error["pointer"] for error in response.get_json()["errors"]] == pointers
    assert all(error["detail"] for error in response.get_json()["errors"])


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"text=hello", "application/x-www-form-urlencoded", 415),
        (b'{"text": ', "application/json", 400),
        (b'{"text": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'["text"]', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"text": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_none_is_refused_in_words(program: Program, body: bytes, content_type: str, status: int) -> None:
    response = program.post("/tasks/reverse_text/runs", body, Content_Type=content_type)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["detail"]


def test_a_program_refuses_in_the_words_of_the_form(program: Program, ada: Visitor) -> None:
    [error] = program.post("/tasks/factorise/runs", {"number": "six"}).get_json()["errors"]
    form = ada.post("/tasks/factorise", {"number": "six"})
    assert form.status_code == 422
    assert error["detail"] in form.text


@pytest.mark.parametrize(
    "path",
    ["/runs/{id}", "/runs/{id}/output", "/runs/{id}/result", "/runs/{id}/files/{sha256}", "/runs/99", "/tasks/none"],
)
def test_what_is_not_there_and_what_is_somebody_elses_are_the_same(program: Program, other: Program, path: str) -> None:
    run_id = program.submit("reverse_text", text="secret")["id"]
    response = other.get(path.format(id=run_id, sha256="0" * 64))
    assert response.status_code == 404
    assert "secret" not in response.text
    for action in ("cancel", "retry"):
        assert other.post(f"/runs/{run_id}/{action}").status_code == 404


def test_an_address_that_is_none_is_a_problem(program: Program) -> None:
    response = program.get("/nothing")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
    response = program.post("/runs")
    assert (response.status_code, response.mimetype) == (405, "application/problem+json")


def test_runs_are_listed_with_the_address_of_the_next_page(program: Program) -> None:
    ids = [program.submit("reverse_text", text=str(n))["id"] for n in range(5)]
    program.submit("factorise", number=6)
    first = program.get("/runs?task=reverse_text&state=queued&limit=3")
    assert [run["id"] for run in first.get_json()["runs"]] == ids[:1:-1]
    address, _, relation = first.headers["Link"].partition(">; ")
    assert relation == 'rel="next"'
    rest = program.get(address.removeprefix("</api/v1"))
    assert [run["id"] for run in rest.get_json()["runs"]] == ids[1::-1]
    assert 'rel="next"' not in rest.headers["Link"]


@pytest.mark.parametrize("query", ["state=lost", "before=x", "before=0", "limit=101", "limit=-1", "limit=٣"])
def test_a_meaningless_filter_is_refused(program: Program, query: str) -> None:
    response = program.get(f"/runs?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.get_json()["detail"]


def test_a_run_is_cancelled_and_run_again(program: Program, backend: Backend) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    assert program.post(f"/runs/{run_id}/retry").status_code == 409
    assert program.post(f"/runs/{run_id}/cancel").get_json()["state"] == "cancelled"
    again = program.post(f"/runs/{run_id}/retry")
    assert (again.status_code, again.get_json()["id"], again.get_json()["attempt"]) == (200, run_id, 2)
    lease.succeed(backend.database, claimed(backend, run_of(backend, run_id)), "x")
    assert program.post(f"/runs/{run_id}/cancel").status_code == 409
    new = program.post(f"/runs/{run_id}/retry")
    assert new.status_code == 201
    assert new.get_json()["id"] != run_id


def test_the_same_key_is_the_same_run(program: Program, backend: Backend) -> None:
    first = program.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key="one")
    lease.succeed(backend.database, claimed(backend, run_of(backend, first.get_json()["id"])), "x")
    again = program.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json()["id"] == first.get_json()["id"]
    assert again.get_json()["state"] == "succeeded"


def test_the_same_key_with_other_content_is_refused_with_the_parameter(program: Program) -> None:
    program.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key="one")
    other_value = program.post("/tasks/reverse_text/runs", {"text": "y"}, Idempotency_Key="one")
    assert other_value.status_code == 422
    assert [error["pointer"] for error in other_value.get_json()["errors"]] == ["/text"]
    other_task = program.post("/tasks/factorise/runs", {"number": 6}, Idempotency_Key="one")
    assert other_task.status_code == 422
    assert "another task" in other_task.get_json()["detail"]


def test_keys_of_two_owners_are_apart(program: Program, other: Program) -> None:
    ids = {
        one.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key="one").get_json()["id"]
        for one in (program, other)
    }
    assert len(ids) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "\t"])
def test_a_key_of_another_length_is_refused(program: Program, key: str) -> None:
    assert program.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key=key).status_code == 400


def test_many_submissions_with_one_key_at_once_are_one_run(app: Flask, program: Program) -> None:
    together = threading.Barrier(8)

    def submit(_number: int) -> tuple[int, int]:
        own = Program(app, program.token)
        together.wait()
        response = own.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key="one")
        return response.status_code, response.get_json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, range(8)))
    assert sorted(status for status, _id in answers) == [200] * 7 + [201]
    assert len({run_id for _status, run_id in answers}) == 1


def test_output_comes_after_a_number(program: Program, backend: Backend) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    assert program.get(f"/runs/{run_id}/output").get_json()["entries"] == []
    assert program.get(f"/runs/{run_id}/output?kind=emitted").status_code == 200
    assert program.get(f"/runs/{run_id}/output?kind=none").status_code == 400


def test_a_file_of_a_run_is_downloaded_by_its_owner(
    program: Program, other: Program, backend: Backend, ada: Visitor
) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    sha256 = note_file(backend, run_id, b"0123456789", "text/plain").sha256
    kept = {"$file": {"sha256": sha256, "size": 10, "name": "digits.txt", "media_type": "text/plain"}}
    lease.succeed(backend.database, claimed(backend, run_of(backend, run_id)), [kept])
    [shown] = program.get(f"/runs/{run_id}").get_json()["result"]
    address = shown["$file"]["url"].removeprefix("/api/v1")
    assert program.get(address).data == b"0123456789"
    part = program.get(address, Range="bytes=2-4")
    assert (part.status_code, part.data) == (206, b"234")
    assert other.get(address).status_code == 404


def test_files_come_in_the_same_request_or_in_one_before(program: Program, other: Program) -> None:
    form = {"_parameters": '{"most": 3}', "texts": (io.BytesIO(b"soup"), "soup.txt")}
    headers = {"Authorization": f"Bearer {program.token}"}
    together = program.client.post("/api/v1/tasks/count_words/runs", data=form, headers=headers)
    assert together.status_code == 201, together.text
    assert together.get_json()["parameters"]["most"] == 3
    [kept] = together.get_json()["parameters"]["texts"]
    assert program.get(kept["$file"]["url"].removeprefix("/api/v1")).data == b"soup"
    uploaded = program.post("/files?name=day.txt", b"of the day", Content_Type="application/octet-stream")
    assert uploaded.status_code == 201
    reference = {"$file": {"sha256": uploaded.get_json()["$file"]["sha256"], "name": "day.txt"}}
    run = program.submit("count_words", texts=[reference, kept])
    assert [one["$file"]["name"] for one in run["parameters"]["texts"]] == ["day.txt", "soup.txt"]
    strange = other.post("/tasks/count_words/runs", {"texts": [reference]})
    assert [error["pointer"] for error in strange.get_json()["errors"]] == ["/texts"]


def test_a_file_of_another_kind_is_refused_at_its_parameter(program: Program) -> None:
    form = {"texts": (io.BytesIO(b"soup"), "soup.png")}
    headers = {"Authorization": f"Bearer {program.token}"}
    response = program.client.post("/api/v1/tasks/count_words/runs", data=form, headers=headers)
    assert [error["pointer"] for error in response.get_json()["errors"]] == ["/texts"]


def test_numbers_are_read_exactly() -> None:
    from webapp.api.body import _number

    assert _number("0.1") == 0.1
    assert _number("0.12345678901234567890") == Decimal("0.12345678901234567890")


def test_a_long_poll_answers_when_the_version_differs(program: Program, backend: Backend) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    assert program.get(f"/runs/{run_id}?wait=30&version=0").get_json()["version"] == 1
    assert program.get(f"/runs/{run_id}?wait=1&version=1").get_json()["version"] == 1
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(program.get, f"/runs/{run_id}?wait=60&version=1")
        program.post(f"/runs/{run_id}/cancel")
        assert json.loads(waiting.result(timeout=60).data)["state"] == "cancelled"
    assert program.get(f"/runs/{run_id}?wait=61").status_code == 400


def test_events_end_with_the_run_and_are_not_repeated(program: Program) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    program.post(f"/runs/{run_id}/cancel")
    stream = program.get(f"/runs/{run_id}", Accept="text/event-stream")
    assert stream.mimetype == "text/event-stream"
    assert "id: 2\nevent: run\n" in stream.text
    assert program.get(f"/runs/{run_id}", Accept="text/event-stream", Last_Event_ID="2").status_code == 204


def test_a_run_is_deleted_once_it_has_ended(program: Program, other: Program) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    assert program.delete(f"/runs/{run_id}").status_code == 409
    program.post(f"/runs/{run_id}/cancel")
    assert other.delete(f"/runs/{run_id}").status_code == 404
    assert program.delete(f"/runs/{run_id}").status_code == 204
    assert program.get(f"/runs/{run_id}").status_code == 404
