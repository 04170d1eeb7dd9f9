"""The application behind each proxy, at the root of a site and below a path of it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.browser.conftest import new_context
from tests.proxies.servers import Proxy, end
from tests.support.stack import ROOT, Stack
from tests.support.tasks import FOLDER

__all__ = ["new_context"]

TASKS = f"{FOLDER}:{ROOT / 'tests' / 'proxies' / 'tasks'}"
PLACES = {"root": "", "path": "/dumbwaiter"}


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stack]]:
    """The application at each place. All stay until the end: the tests go back and forth between the places."""
    with ExitStack() as ending:
        started = {}
        for place, prefix in PLACES.items():
            settings = {"URL_PREFIX": prefix, "TRUSTED_PROXIES": "1", "WORKERS": "1", "TASKS": TASKS}
            started[place] = ending.enter_context(Stack(tmp_path_factory.mktemp("stack"), **settings))
            started[place].url += prefix
        yield started


@pytest.fixture(scope="session", params=PLACES)
def stack(stacks: dict[str, Stack], request: pytest.FixtureRequest) -> Stack:
    return stacks[request.param]


@pytest.fixture(scope="session", params=["nginx", "caddy"])
def proxy(stack: Stack, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    made = Proxy(tmp_path_factory.mktemp(request.param), stack.port, stack.url.partition(str(stack.port))[2])
    with ExitStack() as ending:
        process = made.start(request.param)
        ending.callback(end, process)
        yield made
