"""The tools as assistants use them: with the protocol's official client, and everything running."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ResourceLink, TextContent

from tests.support.person import Person
from tests.support.program import token_of
from tests.support.visitor import the
from tests.support.waiting import until

pytestmark = pytest.mark.only_on("sqlite")

T = TypeVar("T")
LONG = {"samples": 10_000_000_000}


@asynccontextmanager
async def connected(person: Person, mode: str = "auto", token: str = "") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token or token_of(person.url, person.email)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=90) as http,
        Client(streamable_http_client(f"{person.url}/api/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def texts(result: CallToolResult) -> list[str]:
    return [one.text for one in result.content if isinstance(one, TextContent)]


def state_of(person: Person, run_id: int) -> str:
    return str(the(person.get(f"/runs/{run_id}"), f"#run-{run_id}")["data-state"])


def run(use: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a client in a thread of its own: the driver of the browser may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(use())).result()


@pytest.mark.parametrize(("mode", "revision"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_tasks_are_listed_and_called(ada: Person, mode: str, revision: str) -> None:
    reports: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))

    async def use() -> None:
        async with connected(ada, mode) as client:
            assert client.protocol_version == revision
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert {"reverse_text", "estimate_pi", "count_words", "get-run", "cancel-run"} <= set(tools)
            assert tools["reverse_text"].input_schema["properties"]["text"]["maxLength"] == 1000
            done = await client.call_tool("reverse_text", {"text": "stressed"})
            assert (done.is_error, done.structured_content["result"]) == (False, "desserts")
            assert json.loads(*texts(done)) == done.structured_content
            await client.call_tool("estimate_pi", {"samples": 5_000_000}, progress_callback=on_progress)

    run(use)
    assert len(reports) > 2
    assert {total for _, total, _ in reports} == {1}
    assert [done for done, _, _ in reports] == sorted({done for done, _, _ in reports})
    assert "points" in str(reports[-1][2])


def test_refused_parameters_are_the_tools_error_in_the_words_of_the_api(ada: Person) -> None:
    token = token_of(ada.url, ada.email)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = urllib.request.Request(f"{ada.url}/api/v1/tasks/reverse_text/runs", b'{"txet": 1}', headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(sent)

    async def use() -> None:
        async with connected(ada, token=token) as client:
            result = await client.call_tool("reverse_text", {"txet": 1})
            assert result.is_error
            assert json.loads(*texts(result)) == json.load(refused.value)

    run(use)


def test_a_long_run_is_waited_for_by_its_id_and_cancelled(ada: Person, ben: Person) -> None:
    run_id = ada.submit("estimate_pi", samples=str(LONG["samples"]))

    async def use() -> None:
        async with connected(ada) as client:
            waited = await client.call_tool("get-run", {"id": run_id, "wait": 1})
            assert waited.structured_content["state"] in ("queued", "running")
            assert "get-run" in texts(waited)[0]
            stopped = await client.call_tool("cancel-run", {"id": run_id})
            assert not stopped.is_error
            ended = await client.call_tool("get-run", {"id": run_id})
            assert (ended.is_error, ended.structured_content["state"]) == (True, "cancelled")
        async with connected(ben) as client:
            assert json.loads(*texts(await client.call_tool("get-run", {"id": run_id})))["status"] == 404

    run(use)


def test_who_gives_up_a_call_cancels_its_run_and_who_gives_up_waiting_does_not(ada: Person) -> None:
    begun: list[int] = []

    async def use() -> None:
        async with connected(ada) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await client.call_tool("estimate_pi", LONG)
        begun.append(int(str(the(ada.get("/runs"), ".run")["id"]).removeprefix("run-")))
        await asyncio.to_thread(until, lambda: state_of(ada, begun[0]) == "cancelled", "the end of the run")
        begun.append(ada.submit("estimate_pi", samples=str(LONG["samples"])))
        async with connected(ada) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await client.call_tool("get-run", {"id": begun[1]})
            other = await client.call_tool("get-run", {"id": begun[1], "wait": 1})
            assert other.structured_content["state"] == "running"
            await client.call_tool("cancel-run", {"id": begun[1]})

    run(use)


def test_a_file_of_a_result_is_a_link_to_download_it_from(ada: Person) -> None:
    token = token_of(ada.url, ada.email)

    async def use() -> ResourceLink:
        async with connected(ada, token=token) as client:
            painted = await client.call_tool("mandelbrot", {"zoom": 0, "iterations": 50})
            [link] = [one for one in painted.content if isinstance(one, ResourceLink)]
            return link

    link = run(use)
    assert link.mime_type == "image/png"
    request = urllib.request.Request(link.uri, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.read().startswith(b"\x89PNG")
