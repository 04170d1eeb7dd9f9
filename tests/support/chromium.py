"""A real Chromium, one for all tests of a process: two at once cannot be driven."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

HOW_TO_GET_ONE = (
    "The browser tests need Chromium. Install it (Debian, Ubuntu: apt-get install chromium; anywhere: "
    ".venv/bin/playwright install chromium), or set CHROMIUM to the path of one."
)
# Nothing in the tests may leave this machine, and as root Chromium runs without its sandbox only.
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
# For the proxies' certificates. If a page ignores the errors instead, each connection begins with one and another try,
# and under load a request ends with ERR_TOO_MANY_RETRIES now and then.
ARGUMENTS += ["--ignore-certificate-errors"]

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium_path(*preferred: str) -> str | None:
    """The system's Chromium, or None to let Playwright look for its own."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, (*preferred, *NAMES))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            # The same engine without windows, which takes a third less of the processor; tabs cannot hide in it.
            path = chromium_path("chromium-headless-shell")
            launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            pytest.fail(f"{HOW_TO_GET_ONE} {error.message.splitlines()[0]}", pytrace=False)
        yield launched
        launched.close()
