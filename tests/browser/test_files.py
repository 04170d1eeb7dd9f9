"""In the browser: files chosen, refused with another field, kept, replaced, dropped, and shown on their way."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded
from tests.browser.test_forms import press_run, run
from tests.browser.test_pages import violations
from tests.support.waiting import until

EITHER_WAY = pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
PATH = "/tasks/count_words"
MB = 1_000_000
SLOW_BYTES_PER_SECOND = MB // 2


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, Path]:
    contents = {"a.txt": "soup", "b.txt": "bread bread", "c.txt": "cheese cheese cheese"}
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    return {name: tmp_path / name for name in contents}


def opened(new_context: NewContext, scripts: bool = True, **options: Any) -> Page:
    page = register(new_context(java_script_enabled=scripts, **options).new_page())
    if scripts:
        return open_live(page, PATH)
    page.goto(PATH)
    return page


def kept(page: Page) -> list[str]:
    return page.locator(".kept-file bdi").all_text_contents()


def newest(backend: Backend) -> list[str]:
    with backend.database.read() as session:
        found = session.query(Run).order_by(Run.id.desc()).first()
    assert found is not None
    return [text["$file"]["name"] for text in found.parameters["texts"]]


def dropped(page: Page, selector: str, contents: dict[str, str]) -> None:
    """Drop files on an element, as somebody does who drags them from a folder."""
    transfer = page.evaluate_handle(
        """contents => {
            const transfer = new DataTransfer();
            for (const [name, content] of Object.entries(contents)) transfer.items.add(new File([content], name));
            return transfer;
        }""",
        contents,
    )
    for event in ("dragover", "drop"):
        page.dispatch_event(selector, event, {"dataTransfer": transfer})


TABLE = 'name;price;<b>note</b>\n"a ""b""; c";1;x\nd;2;"two\nlines"\n' + "e;3;y\n" * 9


def test_dropped_files_are_chosen_and_a_tables_first_rows_shown(new_context: NewContext) -> None:
    page = opened(new_context)
    dropped(page, "#field-texts label", {"a.txt": "soup", "b.txt": "bread"})
    names = "input => [...input.files].map(file => file.name)"
    assert page.eval_on_selector("#texts-input", names) == ["a.txt", "b.txt"]
    dropped(page, "h1", {"c.txt": "cheese"})
    assert page.eval_on_selector("#texts-input", names) == ["a.txt", "b.txt"], "a drop elsewhere changes nothing"
    page.eval_on_selector("#texts-input", "input => { input.multiple = false; }")
    dropped(page, "#field-texts", {"a.csv": TABLE, "b.csv": TABLE})
    expect(page.locator("#texts-refused")).to_contain_text("Only one file fits here.")
    dropped(page, "#field-texts", {"a.csv": TABLE})
    expect(page.locator("#texts-refused")).to_be_hidden()
    rows = page.locator("#texts-preview tr")
    expect(rows).to_have_count(6)
    expect(rows.nth(0).locator("th")).to_have_text(["name", "price", "<b>note</b>"])
    expect(rows.nth(1).locator("td")).to_have_text(['a "b"; c', "1", "x"])
    expect(rows.nth(2).locator("td")).to_have_text(["d", "2", "two lines"])
    assert violations(page) == []
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.locator("#texts-preview")).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(6)
    assert page.eval_on_selector("#texts-input", names) == ["a.csv"]


@EITHER_WAY
def test_files_stay_with_a_refused_form_and_can_be_dropped_and_added(
    new_context: NewContext, backend: Backend, texts: dict[str, Path], scripts: bool
) -> None:
    page = opened(new_context, scripts)
    page.locator("#texts-input").set_input_files([texts["a.txt"], texts["b.txt"]])
    page.locator("#most-input").fill("0")
    run(page)
    page.locator("#most-error").wait_for()
    assert kept(page) == ["a.txt", "b.txt"]
    expect(page.locator("#texts-input")).to_have_value("")
    page.get_by_label("Keep a.txt").uncheck()
    page.locator("#texts-input").set_input_files(texts["c.txt"])
    run(page)
    page.locator("#most-error").wait_for()
    expect(page.locator(".kept-file bdi")).to_have_text(["b.txt", "c.txt"])
    page.locator("#most-input").fill("5")
    run(page)
    page.locator("#main [data-version]").first.wait_for()
    assert newest(backend) == ["b.txt", "c.txt"]
    if scripts:
        assert was_not_reloaded(page)
        assert kept(page) == ["b.txt", "c.txt"], "the form stays as it was, for the next run"
        page.locator(".run__title").first.click()
    page.locator('[data-state="succeeded"]').first.wait_for()
    expect(page.locator(".given-file__name")).to_have_text(["b.txt", "c.txt"])
    with page.expect_download() as download:
        page.locator(".given-file__name").first.click()
    assert download.value.path().read_text() == "bread bread"
    assert not scripts or violations(page) == []  # which are looked for by a script


@EITHER_WAY
def test_no_file_at_all_is_refused_at_its_field(new_context: NewContext, scripts: bool) -> None:
    page = opened(new_context, scripts)
    run(page)
    expect(page.locator("#texts-error")).to_have_text("Choose a file.")
    expect(page.locator("#texts-input")).to_be_focused()


def test_how_far_an_upload_is_can_be_seen_and_it_can_be_cancelled(new_context: NewContext, tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(os.urandom(MB) * 12)
    page = opened(new_context)
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW_BYTES_PER_SECOND}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    expect(page.locator("#upload")).to_be_hidden()
    page.locator("#texts-input").set_input_files(large)
    press_run(page)
    expect(page.locator("#upload")).to_be_visible()
    until(lambda: 0 < page.locator("#upload progress").evaluate("bar => bar.value") < 1, "some progress")
    assert "MB uploaded" in (page.locator(".upload__words").text_content() or "")
    assert violations(page) == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#upload")).to_be_hidden()
    assert page.evaluate("document.querySelector('#texts-input').files.length") == 1, "it can be sent again"
    expect(page.locator("#task-submit")).to_be_enabled()
    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    page.locator("#most-input").fill("0")
    run(page)
    expect(page.locator(".kept-file bdi")).to_have_text(["large.txt"])
    expect(page.locator("#upload")).to_be_hidden()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(new_context: NewContext, texts: dict[str, Path]) -> None:
    page = opened(new_context)
    page.locator("#texts-input").evaluate("input => input.dataset.mostBytes = 5")
    page.locator("#texts-input").set_input_files(texts["b.txt"])
    expect(page.locator("#texts-refused")).to_contain_text("b.txt is larger than")
    assert page.evaluate("document.querySelector('#texts-input').files.length") == 0
    page.locator("#texts-input").set_input_files(texts["a.txt"])
    expect(page.locator("#texts-refused")).to_be_hidden()


def test_a_file_of_another_kind_is_refused_before_it_is_sent(new_context: NewContext, tmp_path: Path) -> None:
    page = opened(new_context)
    for name in ("soup.PNG", "soup.TXT"):
        (tmp_path / name).write_bytes(b"soup")
    run(page)
    expect(page.locator("#texts-error")).to_be_visible()
    page.locator("#texts-input").set_input_files(tmp_path / "soup.PNG")
    expect(page.locator("#texts-refused")).to_contain_text("soup.PNG is not an accepted type")
    assert page.evaluate("document.querySelector('#texts-input').files.length") == 0
    page.locator("#texts-input").set_input_files(tmp_path / "soup.TXT")
    expect(page.locator("#texts-refused")).to_be_hidden()
    expect(page.locator("#texts-error")).to_have_count(0)
    assert page.locator("#texts-input").get_attribute("aria-invalid") is None
