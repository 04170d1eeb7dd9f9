"""The Model Context Protocol: what a request must say, who may use which tool, and how a call ends."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from flask import Flask
from jsonschema_rs import Draft202012Validator, meta
from werkzeug.test import TestResponse

from jobs.runs import events, lease
from jobs.runs.backend import Backend
from tests.support.field_table import ANNOTATIONS, task_with
from tests.support.people import claimed, note_file, owner_id, run_of
from tests.support.program import Program
from tests.support.visitor import Visitor
from tests.support.waiting import until
from webapp import create_app
from webapp.accounts import tokens
from webapp.accounts.tokens import FILES, RUNS_READ, RUNS_WRITE, TASKS_READ, Grant
from webapp.api import schemas

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


Headers = Mapping[str, str | None]


def send(program: Program, message: Any, headers: Headers | None = None) -> TestResponse:
    """Send a message as it is; a header that is None is left out. A stream is not read yet."""
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    own: dict[str, str | None] = {"MCP-Protocol-Version": "2026-07-28", "Content-Type": "application/json"}
    own |= {"Authorization": f"Bearer {program.token}", "Accept": "application/json, text/event-stream"}
    if isinstance(message, dict) and isinstance(message.get("params"), dict):
        own |= {"Mcp-Method": message["method"], "Mcp-Name": message["params"].get("name")}
    sent = {name: value for name, value in {**own, **(headers or {})}.items() if value}
    return program.client.post("/api/mcp", data=data, headers=sent)


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": "a", "method": method, "params": {"_meta": META, **params}}


def call(program: Program, name: str, **arguments: Any) -> Any:
    """Call a tool and return its result."""
    response = send(program, request("tools/call", name=name, arguments=arguments))
    assert response.status_code == 200, response.text
    whole = response.get_json() if response.is_json else messages(response.text)[-1]
    assert whole["result"]["resultType"] == "complete"
    return whole["result"]


def messages(text: str) -> list[Any]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def token(app: Flask, backend: Backend, email: str, *scopes: str, tasks: tuple[str, ...] = ()) -> Program:
    return Program(app, tokens.create(backend.database, owner_id(backend, email), Grant("a test", scopes, tasks))[1])


def test_the_server_says_what_it_speaks(program: Program) -> None:
    result = send(program, request("server/discover")).get_json()["result"]
    assert result["supportedVersions"][0] == "2026-07-28"
    assert result["capabilities"] == {"tools": {}}
    assert "Mcp-Session-Id" not in send(program, request("tools/list")).headers


LISTING = request("tools/list")
CALL = request("tools/call", name="reverse_text", arguments={"text": "x"})
WRONG: list[tuple[Any, Headers, int, int]] = [
    (b'{"jsonrpc": ', {}, 400, -32700),
    (b"[" * 100_000, {}, 400, -32700),
    ([LISTING], {}, 400, -32700),
    ({"id": 1}, {}, 400, -32600),
    ({**LISTING, "id": None}, {}, 400, -32600),
    ({**LISTING, "id": 1.5}, {}, 400, -32600),
    ({**LISTING, "params": []}, {}, 400, -32600),
    ({**LISTING, "params": {}}, {}, 400, -32602),
    (LISTING, {"MCP-Protocol-Version": None}, 400, -32020),
    (LISTING, {"MCP-Protocol-Version": "2025-11-25"}, 400, -32020),
    (LISTING, {"Mcp-Method": None}, 400, -32020),
    (LISTING, {"Mcp-Method": "tools/call"}, 400, -32020),
    (CALL, {"Mcp-Name": "factorise"}, 400, -32020),
    (CALL, {"Mcp-Name": "=?base64?!?="}, 400, -32020),
    ({**LISTING, "params": {}}, {"MCP-Protocol-Version": "2024-11-05"}, 400, -32022),
    (request("tools/call", name="none"), {}, 400, -32602),
    (request("tools/call", name="reverse_text", arguments=[]), {}, 400, -32602),
    (request("prompts/list"), {}, 404, -32601),
    (request("initialize"), {}, 404, -32601),
]


def test_a_wrong_request_is_refused_with_the_code_that_the_protocol_names(program: Program) -> None:
    for message, headers, status, code in WRONG:
        response = send(program, message, headers)
        assert (response.status_code, response.get_json()["error"]["code"]) == (status, code), (message, headers)
        assert response.get_json()["error"]["message"].endswith((".", "}"))
    assert send(program, b"[" + b" " * 2_000_000 + b"]").status_code == 413
    accepted = send(program, CALL, {"Mcp-Name": "=?base64?cmV2ZXJzZV90ZXh0?="})
    assert accepted.status_code == 200
    accepted.close()
    assert program.get("/runs").get_json()["runs"][0]["parameters"] == {"text": "x"}


def test_a_client_of_an_earlier_revision_begins_with_a_handshake(program: Program) -> None:
    plain = {"MCP-Protocol-Version": None, "Mcp-Method": None, "Mcp-Name": None}
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
    assert send(program, first, plain).get_json()["result"]["protocolVersion"] == "2025-06-18"
    first["params"] = {"protocolVersion": "2024-11-05"}
    assert send(program, first, plain).get_json()["result"]["protocolVersion"] == "2025-11-25"
    told = send(program, {"jsonrpc": "2.0", "method": "notifications/initialized"}, plain)
    assert (told.status_code, told.data) == (202, b"")
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert send(program, ping, plain | {"MCP-Protocol-Version": "2025-06-18"}).get_json()["result"] == {}


def test_only_a_token_opens_the_door_and_no_other_site(app: Flask, ada: Visitor, program: Program) -> None:
    for response in (send(Program(app), LISTING), send(Program(app, "dw_unknown"), LISTING)):
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert ada.client.post("/api/mcp", json=LISTING).status_code == 401
    assert send(program, LISTING, {"Origin": "https://evil.example"}).status_code == 403
    assert send(program, LISTING, {"Origin": "http://localhost"}).status_code == 200
    for method in ("GET", "DELETE"):
        refused = program.client.open("/api/mcp", method=method)
        assert (refused.status_code, set(refused.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})


def test_a_token_is_shown_what_it_may_use(app: Flask, ada: Visitor, backend: Backend) -> None:
    every = (TASKS_READ, RUNS_READ, RUNS_WRITE, FILES)

    def shown(*scopes: str, tasks: tuple[str, ...] = ()) -> list[str]:
        answer = send(token(app, backend, ada.email, *scopes, tasks=tasks), LISTING)
        return [tool["name"] for tool in answer.get_json()["result"]["tools"]]

    assert shown(*every) == [*backend.catalog, "get-run", "cancel-run"]
    assert shown(*every, tasks=("factorise",)) == ["factorise", "get-run", "cancel-run"]
    assert shown(TASKS_READ, RUNS_READ) == ["get-run"]
    assert shown(RUNS_WRITE) == ["cancel-run"]
    assert shown(FILES) == []
    narrow = token(app, backend, ada.email, *every, tasks=("factorise",))
    assert send(narrow, CALL).get_json()["error"]["code"] == -32602
    reader = send(token(app, backend, ada.email, TASKS_READ, RUNS_READ), CALL)
    assert reader.status_code == 403
    assert 'scope="runs:read runs:write"' in reader.headers["WWW-Authenticate"]
    assert backend.redis.llen("rq:queue:runs") == 0


def test_a_parameter_of_every_annotation_has_a_schema_that_stands_alone() -> None:
    for annotation in ANNOTATIONS:
        schema = schemas.standing_alone(task_with(annotation))
        meta.validate(schema)
        Draft202012Validator(schema)  # resolves all that the schema refers to


def test_a_result_is_text_and_data_and_links(program: Program, backend: Backend) -> None:
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(call, program, "reverse_text", text="x")
        until(lambda: program.get("/runs").get_json()["runs"], "the run")
        run_id = program.get("/runs").get_json()["runs"][0]["id"]
        sha256 = note_file(backend, run_id, b"0123456789", "text/plain").sha256
        kept = {"$file": {"sha256": sha256, "size": 10, "name": "digits.txt", "media_type": "text/plain"}}
        change = lease.succeed(backend.database, claimed(backend, run_of(backend, run_id)), [kept])
        assert change
        events.publish(backend.redis, change)
        result = calling.result(timeout=60)
    address = f"/api/v1/runs/{run_id}/files/{sha256}"
    assert result["structuredContent"]["result"] == [{"$file": {**kept["$file"], "url": address}}]
    text, link = result["content"]
    assert json.loads(text["text"]) == result["structuredContent"]
    assert link == {
        "type": "resource_link",
        "uri": f"http://localhost{address}",
        "name": "digits.txt",
        "mimeType": "text/plain",
    }


def test_a_result_that_is_too_large_is_left_out_with_its_address(program: Program, backend: Backend) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    lease.succeed(backend.database, claimed(backend, run_of(backend, run_id)), "x" * 300_000)
    shown = call(program, "get-run", id=run_id)["structuredContent"]
    assert shown["result"] is None
    assert f"http://localhost/api/v1/runs/{run_id}/result" in shown["notes"][0]


def test_wrong_arguments_are_named_by_their_pointers(program: Program) -> None:
    wrong: list[dict[str, Any]] = [{}, {"id": 0}, {"id": "x"}, {"id": 2**63}, {"id": 1, "wait": 56}, {"ident": 1}]
    for arguments in wrong:
        result = call(program, "get-run", **arguments)
        problem = json.loads(result["content"][0]["text"])
        assert (result["isError"], problem["status"]) == (True, 422)
        assert problem["errors"][0]["pointer"] in ("/id", "/wait", "/ident")


def test_a_limit_is_the_tools_error_in_the_words_of_the_api(ada: Visitor, backend: Backend) -> None:
    settings = backend.settings.model_copy(update={"user_queued_runs": 1})
    program = Program.signed_in(create_app(replace(backend, settings=settings)), ada.email)
    program.submit("reverse_text", text="x")
    refused = call(program, "reverse_text", text="y")
    assert refused["isError"]
    told = json.loads(refused["content"][0]["text"])
    assert told == program.post("/tasks/reverse_text/runs", {"text": "y"}).get_json()
    assert told["status"] == 429


def test_a_stream_that_its_client_closes_cancels_the_run_that_it_began(program: Program, backend: Backend) -> None:
    began = request("tools/call", name="reverse_text", arguments={"text": "x"})
    began["params"]["_meta"] = {**META, "progressToken": 7}
    stream = send(program, began)
    [progress] = messages(next(stream.iter_encoded()).decode())
    assert progress["method"] == "notifications/progress"
    assert progress["params"] == {"progressToken": 7, "progress": 0.0, "total": 1, "message": "queued"}
    stream.close()
    [run] = program.get("/runs").get_json()["runs"]
    assert run["state"] == "cancelled"


def test_a_call_ends_with_its_token_and_the_run_goes_on(ada: Visitor, program: Program, backend: Backend) -> None:
    [held] = tokens.listed(backend.database, owner_id(backend, ada.email))
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(call, program, "reverse_text", text="secret")
        until(lambda: backend.redis.pubsub_channels(events.channel(held.owner_id)), "the subscription")
        ada.post(f"/account/tokens/{held.id}/revoke")
        result = calling.result(timeout=50)
    assert time.monotonic() - began < 50
    assert result["isError"]
    assert "secret" not in json.dumps(result)
    assert run_of(backend, 1).state == "queued"
