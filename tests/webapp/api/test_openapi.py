"""The API's description: valid, complete, and true of what the API takes and answers."""

import os
import re
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from jobs.authoring.catalog import Catalog, load_catalog
from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.support.field_table import ANNOTATIONS, task_with
from tests.support.people import claimed
from tests.support.program import Program
from tests.support.stack import ROOT
from tests.support.visitor import Visitor
from webapp import create_app
from webapp.api import openapi

FULL = os.environ.get("API") == "full"
EXAMPLES = 200 if FULL else 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]


def catalog() -> Catalog:
    """The application's own tasks, and one for each annotation."""
    annotated = (replace(task_with(one), name=f"annotated_{number}") for number, one in enumerate(ANNOTATIONS))
    return Catalog({**load_catalog([ROOT / "jobs" / "tasks"]), **{task.name: task for task in annotated}})


def test_the_description_is_valid_and_for_those_who_may_see_the_tasks(
    ada: Visitor, program: Program, app: Flask
) -> None:
    described = ada.get("/api/openapi.json").get_json()
    OpenAPIV31SpecValidator(described).validate()
    assert "/tasks/reverse_text/runs" in described["paths"]
    token = {"Authorization": f"Bearer {program.token}", "Accept-Encoding": "identity"}
    assert app.test_client().get("/api/openapi.json", headers=token).get_json() == described
    assert app.test_client().get("/api/openapi.json").status_code == 401


def test_every_operation_is_described(ada: Visitor, app: Flask) -> None:
    described = ada.get("/api/openapi.json").get_json()["paths"]
    for rule in (rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")):
        path = re.sub(r"<(?:int|row):(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")).replace(
            "<sha256>", "{sha256}"
        )
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            named = path.replace("<name>/runs", "reverse_text/runs").replace("<name>", "{name}")
            assert method.lower() in described.get(named, {}), f"{method} {path}"


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_a_parameter_of_every_annotation_is_described(annotation: str) -> None:
    described = openapi.described([task_with(annotation)], "Test", "http://localhost")
    OpenAPIV31SpecValidator(described).validate()


@pytest.mark.timeout(7200 if FULL else 300)
def test_every_request_is_answered_as_described(backend: Backend) -> None:
    """Made from the description, valid and not, with a token, for runs in every state."""
    if FULL:
        settings_of_many = backend.settings.model_copy(update={"user_queued_runs": 10**6})
        backend = replace(backend, catalog=catalog(), settings=settings_of_many)
    app = create_app(backend)
    program = Program.signed_in(app, Visitor(app).registered("ada@example.com").email)
    _queued, ended, stopped = (program.submit("reverse_text", text=text)["id"] for text in "abc")
    lease.succeed(backend.database, claimed(backend, Run(id=ended)), {"$table": {"columns": ["n"], "rows": [[1]]}})
    program.post(f"/runs/{stopped}/cancel")
    token = {"Authorization": f"Bearer {program.token}", "Accept-Encoding": "identity"}
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, headers=token)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == 26 + len(app.extensions["dumbwaiter"].catalog)
    for operation in operations:

        @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case: Any) -> None:
            case.call_and_validate(headers=token, checks=CHECKS)

        check()
    app.extensions["hub"].end()
