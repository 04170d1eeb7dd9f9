"""A network that passes nothing on and closes nothing: every request ends in time, and all goes on afterwards."""

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.application import Application
from tests.faults.relay import Relay
from tests.support import databases
from tests.support.person import Person, receive_until, shows
from tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("application")

MOST_SECONDS = 21
AT_ONCE = 25  # more than a process has connections
SLACK_SECONDS = 4  # for a machine on which other tests run


def answer(url: str, path: str, cookie: str = "") -> tuple[int, float]:
    """Return the status of a page, and after how many seconds it came."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=4 * MOST_SECONDS)
    connection.request("GET", path, headers={"Cookie": cookie})
    return connection.getresponse().status, time.monotonic() - begun


@pytest.fixture
def relay() -> Iterator[Relay]:
    assert databases.server
    one = Relay(databases.server.socket)
    yield one
    one.refuse()


@pytest.mark.only_on("postgres")
def test_a_silent_database_holds_no_request_for_long(tmp_path: Path, relay: Relay) -> None:
    databases.url_of(tmp_path)
    with Stack(tmp_path, DATABASE_URL=databases.url_through(relay.port, tmp_path)) as stack:
        ada = Person(stack.url, "ada@example.com")
        with ThreadPoolExecutor(AT_ONCE) as many:
            list(many.map(lambda _: ada.get("/runs"), range(AT_ONCE)))
            relay.silent = True
            paths = ["/runs", "/", "/tasks/reverse_text", "/readyz", "/account"] * (AT_ONCE // 5)
            answers = list(many.map(lambda path: answer(stack.url, path, ada.cookie), paths))
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < MOST_SECONDS + SLACK_SECONDS, answers
        assert answer(stack.url, "/healthz")[1] < SLACK_SECONDS
        relay.silent = False
        with ada.socket() as page:
            receive_until(page, shows(ada.submit("reverse_text", text="after"), "succeeded"))


def test_a_silent_redis_holds_no_submit_for_long(application: Application) -> None:
    ada = application.person()
    ada.submit("reverse_text", text="before")
    application.relay.silent = True
    begun = time.monotonic()
    run_id = ada.submit("reverse_text", text="meanwhile")
    assert time.monotonic() - begun < MOST_SECONDS / 2
    assert answer(application.stack.url, "/readyz")[0] == 503
    application.relay.silent = False
    with ada.socket() as page:
        receive_until(page, shows(run_id, "succeeded"))
