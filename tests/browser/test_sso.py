"""Logging in by a provider, and downloading one's data, in a real browser that keeps to the pages' policy."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, register
from tests.support.provider import Provider
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as one:
        one.people = {"ada-1": {"email": "ada@example.com", "email_verified": True}, "ben-1": {}}
        yield one


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Stack]:
    known = {name.upper(): value for name, value in provider.settings().items()}
    with Stack(tmp_path_factory.mktemp("sso"), **known, OIDC_NAME="Example ID", WORKERS="0") as running:
        yield running


def sign_in(page: Page, subject: str) -> None:
    expect(page).to_have_title("Provider")
    page.locator("input").fill(subject)
    page.get_by_role("button").click()


def test_a_person_logs_in_links_an_account_and_downloads_it(new_context: NewContext, stack: Stack) -> None:
    page = new_context().new_page()
    page.goto("/login?next=/runs")
    page.get_by_role("link", name="Log in with Example ID").click()
    sign_in(page, "ada-1")
    expect(page).to_have_url(f"{stack.url}/runs")
    page = new_context().new_page()
    register(page)
    page.goto("/account")
    page.locator("#sso-password").fill(PASSWORD)
    page.get_by_role("button", name="Link").click()
    sign_in(page, "ben-1")
    expect(page).to_have_url(re.compile("/account#sso$"))
    expect(page.locator("#sso")).to_contain_text("last used just now")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data", exact=True).click()
    assert zipfile.ZipFile(Path(download.value.path())).namelist() == ["account.json", "runs.jsonl"]
