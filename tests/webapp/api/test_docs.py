"""The page of the API: what it lists, and the calls that a person tries there."""

from typing import Any

import pytest
from bs4 import Tag
from flask import Flask

from jobs.authoring import Task
from jobs.runs import lease, webhooks
from jobs.runs.backend import Backend
from tests.support.field_table import ANNOTATIONS, task_with
from tests.support.people import claimed, note_file, owner_id, run_of
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from webapp.accounts import tokens
from webapp.api import openapi, reference
from webapp.api.reference import Operation


def test_every_operation_and_task_is_listed_as_it_is_described(ada: Visitor, backend: Backend) -> None:
    described = ada.get("/api/openapi.json").get_json()
    page = soup(ada.get("/api/docs"))
    for path, item in described["paths"].items():
        for method, one in item.items():
            shown = the(page, f"#{one['operationId']}")
            assert the(shown, "summary").text.split()[:2] == [method.upper(), f"/api/v1{path}"]
            assert {dt.text for dt in shown.select(".api__list--answers dt")} == set(one["responses"])
            assert all(scope in shown.text for need in one["security"] for scope in need["token"])
            names = {cell.text for cell in shown.select("tbody th")}
            assert {parameter["name"] for parameter in one["parameters"]} <= names
    for task in backend.catalog:
        assert page.select_one(f"#run_{task}-trial")
    number = the(page, "#run_factorise table").text
    assert "at least" in number
    assert "Required." in number


def test_only_those_who_may_see_the_tasks_see_the_page(visitor: Visitor, ada: Visitor) -> None:
    response = visitor.get("/api/docs")
    assert (response.status_code, response.headers["Location"]) == (302, "/login?next=/api/docs")
    assert ada.get("/api/docs").status_code == 200
    again = ada.get("/api/docs/run_reverse_text")  # what a plain form leaves in the address bar
    assert (again.status_code, again.headers["Location"]) == (303, "/api/docs#run_reverse_text")


@pytest.mark.parametrize("path", ["/account", "/tasks/reverse_text"])
def test_the_page_is_found_from_tokens_and_programs(ada: Visitor, path: str) -> None:
    assert soup(ada.get(path)).select_one("a[href^='/api/docs']")


def test_a_call_is_tried_with_the_rights_of_the_session_and_no_token(ada: Visitor, backend: Backend) -> None:
    page = soup(ada.post("/api/docs/run_reverse_text", {"_body": '{"text": "stressed"}'}))
    fold = the(page, "#run_reverse_text")
    assert fold.has_attr("open")
    assert the(fold, ".api__answer strong").text == "201 Created"
    assert "/api/v1/runs/1" in the(fold, ".api__answer dl").text
    assert '"state": "queued"' in the(fold, ".api__answer pre").text
    assert the(fold, ".api__answer a")["href"] == "/runs/1"
    assert "stressed" in the(fold, "textarea").text
    assert ada.get("/runs/1").status_code == 200
    assert tokens.listed(backend.database, owner_id(backend, ada.email)) == []


def answer(visitor: Visitor, operation: str, **form: str) -> Tag:
    """Try a call as htmx does, and return its form."""
    response = visitor.post(f"/api/docs/{operation}", form, HX_Request="true")
    assert response.status_code == 200
    assert "<html" not in response.text
    return the(soup(response), f"#{operation}-trial")


def test_a_refused_call_shows_the_problem_of_the_api(ada: Visitor, ben: Visitor) -> None:
    assert "/txet" in the(answer(ada, "run_reverse_text", _body='{"txet": 1}'), "pre").text
    assert "400 Bad Request" in answer(ada, "run_reverse_text", _body="{").text
    run_id = str(ben.submit("reverse_text", text="secret"))
    foreign = answer(ada, "run", run_id=run_id)
    assert "404 Not Found" in foreign.text
    assert "secret" not in foreign.text
    assert "200 OK" in answer(ben, "run", run_id=run_id).text
    unfilled = answer(ada, "run")
    assert the(unfilled, "#run-run_id")["aria-invalid"] == "true"
    assert "Fill in" in the(unfilled, "#run-run_id-error").text


def test_every_call_that_can_be_tried_is_answered(ada: Visitor, backend: Backend, app: Flask) -> None:
    run_id = ada.submit("reverse_text", text="x")
    sha256 = note_file(backend, run_id, b"0123456789", "text/plain").sha256
    given = {"run_id": str(run_id), "name": "reverse_text", "sha256": sha256, "state": "succeeded", "kind": "log"}
    webhook, _secret = webhooks.create(backend, owner_id(backend, ada.email), "https://example.com/hook")
    given |= {"webhook_id": str(webhook.id), "delivery_id": "1"}
    ada.post(f"/runs/{run_id}/shares", {"kind": "person", "email": "ben@example.com"})
    given["share_id"] = "1"
    lease.succeed(backend.database, claimed(backend, run_of(backend, run_id)), "x")
    with app.test_request_context():
        operations = reference.operations(openapi.for_person(owner_id(backend, ada.email)))
    for operation in sorted(operations.values(), key=lambda one: (one.id.startswith("delete"), one.id == "delete")):
        form = {**given, "_body": operation.example}
        if not operation.can_be_tried:
            assert ada.post(f"/api/docs/{operation.id}", form).status_code == 404
            continue
        shown = answer(ada, operation.id, **form)
        tried = the(shown, ".api__answer strong").text
        gone = ("204",) if operation.id.startswith("delete") else ("200", "201", "422")
        expected = {"cancel": ("409",), "send_delivery": ("202",)}.get(operation.id, gone)
        assert tried.startswith(expected), f"{operation.id}: {tried}"
        assert ("not shown here" in shown.text) == (operation.id in ("file", "runs_csv", "runs_jsonl"))
    assert {name for name, one in operations.items() if not one.can_be_tried} == {"sign_in", "upload"}


def test_another_site_cannot_try_a_call(ada: Visitor, program: Program) -> None:
    form = {"_body": '{"text": "x"}'}
    foreign = {"Origin": "https://evil.example"}
    assert ada.client.post("/api/docs/run_reverse_text", data=form, headers=foreign).status_code == 403
    assert ada.client.post("/api/docs/run_reverse_text", data=form).status_code == 403
    token = {"Authorization": f"Bearer {program.token}", "Origin": "http://localhost"}
    assert program.client.post("/api/docs/run_reverse_text", data=form, headers=token).status_code == 303
    assert program.get("/runs").get_json()["runs"] == []


TYPES = {
    "int": ("integer", ""),
    "Annotated[int, Field(ge=5, lt=100, multiple_of=5)]": ("integer", "at least 5, less than 100, a multiple of 5"),
    'Annotated[str, Field(max_length=40, pattern="^[a-z]+$")]': ("string", "length at most 40, matches ^[a-z]+$"),
    "str | None": ("string or null", ""),
    "EmailStr": ("string (email)", ""),
    'Literal["a", "b", "c"]': ('one of "a", "b", "c"', ""),
    "list[int]": ("array of integer", ""),
    "tuple[int, str]": ("array of integer and string", "at least 2 items, at most 2 items"),
    "dict[str, float]": ("object of number", ""),
    "Address": ("{street: string}", ""),
    "list[File]": ("array of {$file: {sha256: string, name: string}}", ""),
}


def parameter_of(task: Task) -> Any:
    [operation] = [one for one in operations_of(task) if one.id == f"run_{task.name}"]
    return next(one for one in operation.body if one.name == "it")


def operations_of(task: Task) -> list[Operation]:
    return list(reference.operations(openapi.described([task], "Test", "http://localhost")).values())


def test_a_parameter_of_every_annotation_is_put_into_words() -> None:
    for annotation in ANNOTATIONS:
        shown = parameter_of(task_with(annotation))
        assert shown.type, annotation
        if annotation in TYPES:
            assert (shown.type, shown.limits) == TYPES[annotation]
    assert set(TYPES) <= set(ANNOTATIONS)


def test_an_operation_that_is_none_is_a_page_for_people(ada: Visitor) -> None:
    response = ada.post("/api/docs/none")
    assert (response.status_code, response.mimetype) == (404, "text/html")
