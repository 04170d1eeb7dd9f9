"""Requests that no program should send: each gets a clear refusal as a problem, and none an error of the server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from tests.conftest import opened
from tests.support.program import Program
from tests.support.visitor import Visitor
from webapp import create_app

SUBMIT = "/tasks/reverse_text/runs"
HUGE = b"9" * 5000
DEPTH = 100_000


class Client(NamedTuple):
    """A program with a run that is queued and one that was cancelled."""

    program: Program
    queued: int
    ended: int

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.program.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        path = path.format(queued=self.queued, ended=self.ended)
        return self.program.client.open(path, method=method, data=body, headers=sent)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Client]:
    with opened(tmp_path_factory.mktemp("limits"), redis_url, empty_database) as backend:
        app = create_app(backend)
        program = Program.signed_in(app, Visitor(app).registered("ada@example.com").email)
        ended, queued = (program.submit("reverse_text", text=text)["id"] for text in "ab")
        program.post(f"/runs/{ended}/cancel")
        yield Client(program, queued, ended)
        app.extensions["hub"].end()


def check(response: TestResponse, status: int, words: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    problem = response.get_json()
    assert problem["status"] == status
    assert problem["detail"]
    assert words in response.text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not valid JSON"),
        (b'{"text": ', 400, "not valid JSON"),
        (b"{'text': 'x'}", 400, "not valid JSON"),
        (b'{"text": "x"} x', 400, "Extra data"),
        (b'{"text": "x"}{"text": "y"}', 400, "Extra data"),
        (b'{"text": NaN}', 400, "NaN is not a JSON number"),
        (b'{"text": -Infinity}', 400, "-Infinity is not a JSON number"),
        (b'{"text": 1e99999999999999999999}', 400, "exponent"),
        (b'{"text": ' + HUGE + b"}", 400, "4300 digits"),
        (b'{"text": "x", "text": "y"}', 400, "stands twice"),
        (b'{"text": "\\ud800"}', 400, "surrogate"),
        (b'{"\\udfff": "x"}', 400, "surrogate"),
        (b'{"text": "\xff"}', 400, "UTF-8"),
        ('{"text": "x"}'.encode("utf-16"), 400, "UTF-8"),
        ('{"text": "x"}'.encode("utf-16-le"), 400, "not valid JSON"),
        (b'\xef\xbb\xbf{"text": "x"}', 400, "BOM"),
        (b"[" * DEPTH + b"]" * DEPTH, 400, "too deeply"),
        (b'{"text":' * DEPTH + b"1" + b"}" * DEPTH, 400, "too deeply"),
        (b'{"text": "' + b"x" * 10_000_000 + b'"}', 413, "1 MB"),
        (b"null", 422, "JSON object"),
        (b'["x"]', 422, "JSON object"),
        (b'{"text": "a\\u0000b"}', 422, "/text"),
        (b'{"text": "x", "a/b~c": 1}', 422, "/a~1b~0c"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes, status: int, words: str) -> None:
    check(client.send("POST", f"/api/v1{SUBMIT}", body), status, words)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json, text/plain", "x"]
)
def test_a_body_of_another_type_is_refused(client: Client, content_type: str) -> None:
    check(client.send("POST", f"/api/v1{SUBMIT}", b'{"text": "x"}', Content_Type=content_type), 415, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"/api/v1{SUBMIT}", {"POST"}),
        ("PUT", "/api/v1/runs/{queued}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("PUT", "/api/v1/runs", {"GET", "HEAD"}),
        ("HEAD", "/api/v1/tokens", {"POST"}),
        ("FOO", "/api/v1/runs", {"GET", "HEAD"}),
        ("POST", "/api/openapi.json", {"GET", "HEAD"}),
        ("PATCH", "/api/client.py", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_refused_with_those_that_are_allowed(
    client: Client, method: str, path: str, allowed: set[str]
) -> None:
    response = client.send(method, path)
    assert (response.status_code, response.mimetype) == (405, "application/problem+json")
    assert set(response.headers["Allow"].split(", ")) == allowed | {"OPTIONS"}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/runs/", "/api/v2/runs", "/api/x/y"]
)
def test_an_address_that_is_none_is_a_problem(client: Client, method: str, path: str) -> None:
    check(client.send(method, path), 404, "/api/openapi.json")
    check(client.send(method, path, Authorization=""), 404)


@pytest.mark.parametrize("run", ["0", "99", "99999999999999999999", "9" * 5000, "x", "-1", "1.0", "%00"])
@pytest.mark.parametrize("rest", ["", "/output", "/result", f"/files/{'0' * 64}", "/files/x"])
def test_a_run_that_is_none_is_not_found(client: Client, run: str, rest: str) -> None:
    check(client.send("GET", f"/api/v1/runs/{run}{rest}"), 404)


@pytest.mark.parametrize("task", ["none", "%00", "x" * 5000, "%ff", "%2e%2e", "reverse_text%00"])
def test_a_task_that_is_none_is_not_found(client: Client, task: str) -> None:
    check(client.send("GET", f"/api/v1/tasks/{task}"), 404, "task")
    check(client.send("POST", f"/api/v1/tasks/{task}/runs", b"{}"), 404, "task")


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/runs/{queued}", "wait", ["-1", "61", "x", "1.5", "", "%00", "9" * 5000]),
        ("/runs/{queued}", "version", ["-1", "x", "", "9" * 20, "9" * 5000]),
        ("/runs/{queued}/output", "after", ["-1", "x", "", "9" * 400]),
        ("/runs/{queued}/output", "kind", ["", "none", "%00"]),
        ("/runs", "before", ["0", "-1", "x", "", "9" * 20, "9" * 5000]),
        ("/runs", "limit", ["0", "101", "x", "", "٣"]),
        ("/runs", "state", ["", "lost", "%00"]),
    ],
)
def test_a_meaningless_value_in_the_address_is_refused(client: Client, path: str, name: str, values: list[str]) -> None:
    for value in values:
        check(client.send("GET", f"/api/v1{path}?{name}={value}"), 400, f"{name}: Use ")


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/xml", "a;;;q=x", "x" * 5000, "é"])
def test_a_strange_accept_gets_json(client: Client, accept: str) -> None:
    response = client.send("GET", "/api/v1/runs/{ended}", Accept=accept)
    assert (response.status_code, response.mimetype) == (200, "application/json")


@pytest.mark.parametrize("seen", ["", "x", "-1", "1.0", "٣", "²", "9" * 20, "9" * 5000])
def test_a_strange_event_id_gets_the_run_as_it_is(client: Client, seen: str) -> None:
    response = client.send("GET", "/api/v1/runs/{ended}", Accept="text/event-stream", Last_Event_ID=seen)
    assert response.status_code == 200
    assert "id: 2\nevent: run\n" in response.text


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/runs", "/runs/{ended}", "/tasks", "/tasks/reverse_text"])
def test_what_reads_nothing_is_answered_without_a_body(client: Client, method: str, path: str) -> None:
    response = client.send(method, f"/api/v1{path}")
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"{}", ["/email", "/password"]),
        (b'{"email": 1, "password": null}', ["/email", "/password"]),
        (b'{"email": "ada@example.com", "password": "x", "scope": "files"}', ["/scope"]),
    ],
)
def test_credentials_that_are_none_are_refused(client: Client, body: bytes, pointers: list[str]) -> None:
    response = client.send("POST", "/api/v1/tokens", body)
    check(response, 422)
    assert [error["pointer"] for error in response.get_json()["errors"]] == pointers


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"_parameters": "[]"}, ""),
        ({"_parameters": "{}", "nothing": "1"}, "/nothing"),
        ({"_parameters": "{}", "nothing": (b"x", "x.txt")}, "/nothing"),
        ({"_parameters": '{"most": 3}', "most": "4"}, "/most"),
    ],
)
def test_a_part_of_a_form_that_has_no_place_is_refused(client: Client, parts: dict[str, Any], pointer: str) -> None:
    lines = []
    for name, value in ({"texts": (b"soup", "soup.txt")} | parts).items():
        text, file = (value[0], f'; filename="{value[1]}"') if isinstance(value, tuple) else (value.encode(), "")
        lines += [b"--x", f'Content-Disposition: form-data; name="{name}"{file}'.encode(), b"", text]
    body, kind = b"\r\n".join([*lines, b"--x--", b""]), "multipart/form-data; boundary=x"
    response = client.send("POST", "/api/v1/tasks/count_words/runs", body, Content_Type=kind)
    check(response, 422)
    assert [error["pointer"] for error in response.get_json()["errors"]] == [pointer]


def test_too_many_runs_are_refused_with_when_to_come_back(client: Client) -> None:
    backend = client.program.client.application.extensions["dumbwaiter"]
    few = replace(backend, settings=backend.settings.model_copy(update={"user_queued_runs": 1}))
    response = Program(create_app(few), client.program.token).post(SUBMIT, {"text": "y"})
    check(response, 429, "waiting")
    assert response.headers["Retry-After"].isdecimal()
