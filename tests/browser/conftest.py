"""A real Chromium, and pages that must stay free of errors."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.conftest import opened
from tests.support.gallery import served
from tests.support.people import owner_id
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD, the
from tests.support.waiting import PATIENCE_SECONDS

expect.set_options(timeout=PATIENCE_SECONDS * 1000)

NewContext = Callable[..., BrowserContext]


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    """The running application's database and Redis."""
    opened = stack.backend()
    yield opened
    opened.database.close()


def is_error(message: ConsoleMessage) -> bool:
    """Return whether a console message is an error of a page. Browsers also report responses with status 4xx."""
    return message.type == "error" and not message.text.startswith("Failed to load resource: the server responded with")


def is_lost(request: Request) -> bool:
    """Return whether a page could not be loaded. One that was given up for another, or was a download, is aborted."""
    return request.is_navigation_request() and request.failure != "net::ERR_ABORTED"


@pytest.fixture
def new_context(browser: Browser, stack: Stack) -> Iterator[NewContext]:
    """Opens contexts whose pages fail the test for any console error, exception, policy violation or lost request."""
    errors: list[str] = []
    opened: list[BrowserContext] = []

    def watch(page: Page) -> None:
        page.on("console", lambda message: errors.append(message.text) if is_error(message) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))

    def note(request: Request) -> None:
        if is_lost(request):
            errors.append(f"{request.method} {request.url}: {request.failure}")

    def open_context(*, watched: bool = True, **options: Any) -> BrowserContext:
        context = browser.new_context(**{"base_url": stack.url, **options})
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        if watched:
            context.on("page", watch)
            context.on("requestfailed", note)
        opened.append(context)
        return context

    yield open_context
    for context in opened:
        context.close()
    assert errors == []


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of a user who has just registered."""
    return register(context.new_page())


def register(page: Page) -> Page:
    """Register a new user without loading a page for it."""
    form: dict[str, str | float | bool] = {"email": new_address(), "password": PASSWORD}
    sent = {"Sec-Fetch-Site": "same-origin"}
    answer = page.context.request.post("/register", form=form, headers=sent, max_redirects=0)
    assert answer.status == HTTPStatus.SEE_OTHER
    return page


def log_out(page: Page) -> None:
    """Log out with the account menu."""
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url("**/login")


def user_of(page: Page, backend: Backend) -> int:
    """Return the id of the user who is signed in with the page's browser."""
    return owner_id(backend, address_of(page))


def address_of(page: Page) -> str:
    shown = page.context.request.get("/account")
    return the(BeautifulSoup(shown.text(), "html.parser"), ".menu__email").text


def new_address() -> str:
    return f"someone{time.time_ns()}@example.com"


def open_live(page: Page, path: str) -> Page:
    """Open a page and wait until it is live."""
    page.goto(path)
    page.locator("#live[data-state=live]").wait_for(state="attached")
    page.evaluate("window.stillTheSamePage = true")
    return page


def was_not_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.stillTheSamePage === true"))


@dataclass
class Gallery:
    """Tasks with fields of every kind, and where they are served."""

    backend: Backend
    url: str
    new_context: NewContext

    def open(self, task: str, scripts: bool = True, **options: Any) -> Page:
        """Open a task's page as a new user."""
        context = self.new_context(base_url=self.url, java_script_enabled=scripts, **options)
        page = register(context.new_page())
        if not scripts:
            page.goto(f"/tasks/{task}")
            return page
        return open_live(page, f"/tasks/{task}")

    def kept(self) -> dict[str, Any]:
        """The parameters of the newest run."""
        with self.backend.database.read() as session:
            run = session.query(Run).order_by(Run.id.desc()).first()
        assert run is not None
        return run.parameters


@pytest.fixture(scope="module")
def served_gallery(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path
) -> Iterator[tuple[Backend, str]]:
    with opened(tmp_path_factory.mktemp("gallery"), redis_url, empty_database) as backend, served(backend) as url:
        yield backend, url


@pytest.fixture
def gallery(served_gallery: tuple[Backend, str], new_context: NewContext) -> Gallery:
    return Gallery(*served_gallery, new_context)
