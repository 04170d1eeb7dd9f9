"""In the browser: every kind of field, filled, refused and sent, with a script and without one."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Gallery, was_not_reloaded
from tests.browser.test_pages import sideways, violations
from tests.support.gallery import TASKS

EITHER_WAY = pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])


def run(page: Page) -> None:
    """Submit the form and wait until its answer is shown; the check of a field may show the same errors before."""
    with page.expect_response(lambda answer: answer.request.method == "POST" and not answer.url.endswith("/check")):
        press_run(page)
    expect(page.locator("#task-submit:disabled")).to_have_count(0)


def press_run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def was_accepted(page: Page) -> None:
    """Wait until there is a run: in the list beside the form, or on the page the form led to."""
    page.locator("#main [data-version]").first.wait_for()


def errors(page: Page) -> list[str]:
    shown = page.locator(".field__error:visible")
    shown.first.wait_for()
    return [str(error.get_attribute("id")).removesuffix("-error") for error in shown.all()]


SCALARS = {
    "count": ("12", "3"),
    "price": ("0", "19.99"),
    "day": ("2025-01-01", "2026-02-03"),
    "at": ("", "14:30"),
    "starts": ("", "2026-07-01T10:00"),
    "length": ("1:30", "1 h 30 min"),
    "email": ("ada", "ada@example.com"),
    "site": ("example", "https://example.com/"),
    "code": ("ab", "AB-12"),
    "key": ("1", "123e4567-e89b-12d3-a456-426614174000"),
    "weight": ("2", "0.25"),
}


def field(page: Page, name: str) -> Any:
    return page.locator(f"[id='{name}-input']")


@EITHER_WAY
def test_fields_of_one_value_are_refused_kept_and_accepted(gallery: Gallery, scripts: bool) -> None:
    page = gallery.open("scalars", scripts, timezone_id="Europe/Berlin")
    for name, (bad, _good) in SCALARS.items():
        field(page, name).fill(bad)
    run(page)
    assert errors(page) == list(SCALARS)
    expect(field(page, "count")).to_be_focused()
    for name, (bad, good) in SCALARS.items():
        expect(field(page, name)).to_have_value(bad)
        expect(field(page, name)).to_have_attribute("aria-invalid", "true")
        field(page, name).fill(good)
    run(page)
    was_accepted(page)
    kept = gallery.kept()
    assert (kept["price"], kept["at"], kept["length"], kept["weight"]) == ("19.99", "14:30:00", "PT1H30M", 0.25)
    assert kept["starts"] == ("2026-07-01T08:00:00Z" if scripts else "2026-07-01T10:00:00Z"), "in the reader's time"
    assert (kept["ended"], kept["note"], kept["gift"]) == ("2026-03-01T12:00:00Z", None, True)


def test_a_moment_is_shown_in_the_readers_own_time(gallery: Gallery) -> None:
    page = gallery.open("scalars", timezone_id="Asia/Kolkata")
    expect(field(page, "ended")).to_have_value("2026-03-01T17:30")
    expect(page.locator("#ended-unit")).to_have_text("Time zone: Asia/Calcutta")
    expect(field(page, "shown")).to_have_value("2026-03-29T02:30")
    run(page)
    errors(page)
    expect(field(page, "ended")).to_have_value("2026-03-01T17:30")


@EITHER_WAY
def test_fields_to_choose_in_are_refused_kept_and_accepted(gallery: Gallery, scripts: bool) -> None:
    page = gallery.open("choices", scripts)
    page.get_by_label("Friendly", exact=False).check()
    field(page, "country").fill("Atlantis")
    run(page)
    assert errors(page) == ["size", "day", "country", "days"]
    expect(page.get_by_label("Small").first).to_be_focused()
    expect(page.get_by_label("Friendly", exact=False)).to_be_checked()
    expect(field(page, "country")).to_have_value("Atlantis")
    page.locator("#field-size").get_by_label("Rather large").check()
    field(page, "day").select_option("Friday")
    field(page, "country").fill("kenya")
    page.locator("#field-days").get_by_label("Monday").check()
    page.locator("#field-days").get_by_label("Sunday").check()
    page.locator("#field-fragile").get_by_label("No", exact=True).check()
    run(page)
    was_accepted(page)
    kept = gallery.kept()
    assert (kept["size"], kept["day"], kept["country"], kept["tone"]) == (2, "Friday", "Kenya", "friendly")
    assert (sorted(kept["days"]), kept["fragile"], kept["another"]) == (["Monday", "Sunday"], False, None)


@EITHER_WAY
def test_fields_with_parts_are_filled_refused_kept_and_accepted(gallery: Gallery, scripts: bool) -> None:
    page = gallery.open("compounds", scripts)
    field(page, "sender.street").fill("Main Street 1")
    field(page, "sender.zip_code").fill("1234")
    add(page, "Numbers")
    expect(field(page, "numbers.1")).to_be_focused()
    field(page, "numbers.0").fill("1")
    field(page, "numbers.1").fill("2")
    page.get_by_role("button", name="Remove Numbers 1").click()
    expect(field(page, "numbers.0")).to_have_count(0)
    expect(field(page, "numbers.1")).to_have_value("2")
    add(page, "People")
    expect(field(page, "people.0.name")).to_be_focused()
    field(page, "people.0.name").fill("Ada")
    add(page, "Phones")
    field(page, "people.0.phones.0").fill("+49 30")
    field(page, "size.0").fill("3")
    field(page, "size.1").fill("4.5")
    page.locator("#field-shape").get_by_label("Rectangle").check()
    show(page, "Shape", scripts)
    field(page, "shape.height").fill("2")
    page.locator("#field-receiver").get_by_label("Include").check()
    show(page, "Receiver", scripts)
    field(page, "receiver.street").fill("There")
    field(page, "receiver.zip_code").fill("54321")
    field(page, "during.first").fill("2026-01-02")
    field(page, "during.last").fill("2026-01-01")
    add(page, "Labels")
    field(page, "labels.0.key").fill("a")
    field(page, "labels.0.value").fill("1")
    expect(field(page, "sender.street")).to_have_value("Main Street 1")
    run(page)
    assert errors(page) == ["sender.zip_code", "size.1", "during"]
    expect(field(page, "sender.zip_code")).to_be_focused()
    field(page, "sender.zip_code").fill("12345")
    field(page, "size.1").fill("4")
    field(page, "during.last").fill("2026-01-03")
    run(page)
    was_accepted(page)
    assert gallery.kept() == {
        "sender": {"street": "Main Street 1", "zip_code": "12345", "notes": ""},
        "numbers": [2],
        "people": [{"name": "Ada", "phones": ["+49 30"]}],
        "size": [3, 4],
        "shape": {"kind": "rectangle", "width": 1.0, "height": 2.0},
        "during": {"first": "2026-01-02", "last": "2026-01-03"},
        "labels": {"a": 1},
        "receiver": {"street": "There", "zip_code": "54321", "notes": ""},
        "other_shape": None,
        "points": [0.5],
        "tags": None,
    }


def add(page: Page, label: str) -> None:
    page.get_by_role("button", name=f"Add to {label}").click()


def show(page: Page, label: str, scripts: bool) -> None:
    if not scripts:
        page.get_by_role("group", name=label, exact=False).get_by_role("button", name="Show fields").first.click()


def test_rows_come_and_go_without_a_reload(gallery: Gallery) -> None:
    page = gallery.open("compounds")
    add(page, "Points")
    expect(field(page, "points.1")).to_be_focused()
    page.get_by_role("button", name="Remove Points 1").click()
    expect(field(page, "points.0")).to_have_count(0)
    expect(page.get_by_role("button", name="Add to Points")).to_be_focused()
    assert was_not_reloaded(page)


def test_enter_in_a_field_runs_the_task_and_adds_no_row(gallery: Gallery) -> None:
    page = gallery.open("compounds")
    field(page, "numbers.0").press("Enter")
    assert "sender.street" in errors(page)
    expect(page.get_by_role("button", name="Remove Numbers")).to_have_count(1)


def test_what_is_folded_away_opens_for_an_error_and_stays_as_its_reader_left_it(gallery: Gallery) -> None:
    page = gallery.open("grouped")
    expect(field(page, "threads")).to_be_hidden()
    page.locator("summary", has_text="Advanced").last.click()
    field(page, "title").fill("x")
    field(page, "threads").fill("99")
    page.locator("summary", has_text="Advanced").last.click()
    run(page)
    assert errors(page) == ["threads"]
    expect(field(page, "threads")).to_be_focused()
    field(page, "title").fill("")
    field(page, "threads").fill("3")
    run(page)
    expect(page.locator("#title-error")).to_be_visible()
    assert errors(page) == ["title"]
    expect(field(page, "threads")).to_be_visible()


def test_a_link_at_the_top_leads_to_each_error(gallery: Gallery) -> None:
    page = gallery.open("grouped", scripts=False)
    field(page, "width").fill("0")
    run(page)
    page.get_by_role("alert").get_by_role("link", name="Width").click()
    expect(field(page, "width")).to_be_focused()


@pytest.mark.parametrize("task", [function.__name__ for function in TASKS])
def test_every_field_is_accessible_and_fits_a_phone(gallery: Gallery, task: str) -> None:
    page = gallery.open(task, viewport={"width": 360, "height": 800})
    found = violations(page)
    for label in ("People", "Phones", "Labels", "Tags") if task == "compounds" else ():
        rows = page.get_by_role("button", name=f"Remove {label} ")
        had = rows.count()
        add(page, label)
        expect(rows).to_have_count(had + 1)  # what comes while a choice is made would take it back
    for choice in ("Rectangle", "Include") if task == "compounds" else ():
        page.get_by_label(choice).first.check()
    run(page)
    errors(page)
    assert found + violations(page) + sideways(page) == []
    assert sticking_out(page) == []


def sticking_out(page: Page) -> list[str]:
    """Return the elements that extend into the form's padding, as only the bar with Run may."""
    script = """form => {
        const end = form.getBoundingClientRect().right - parseFloat(getComputedStyle(form).paddingRight) + 1;
        const others = ".visually-hidden, .form__actions";
        const out = (one) => one.getBoundingClientRect().right > end && !one.closest(others);
        return [...form.querySelectorAll("*")].filter(out).map((one) => one.outerHTML.slice(0, 120));
    }"""
    found: list[str] = page.locator("#task-form").evaluate(script)
    return found


@pytest.mark.parametrize(("window", "rem"), [(1024, 22), (1280, 30), (1600, 30)])
def test_texts_and_rows_have_more_room_where_the_runs_have_enough(gallery: Gallery, window: int, rem: int) -> None:
    page = gallery.open("compounds", viewport={"width": window, "height": 800})
    assert width(page, "#task-form") == rem * 16
    page.goto("/tasks/choices")
    assert width(page, "#task-form") == 22 * 16


def width(page: Page, selector: str) -> float:
    return float(page.locator(selector).evaluate("one => one.getBoundingClientRect().width"))


COVERED = """() => {
    const bar = document.querySelector(".form__actions");
    const focused = document.activeElement;
    if (bar.contains(focused) || !focused.closest("form")) return "";
    const { top, bottom } = focused.getBoundingClientRect();  // of a text area, its first lines
    return Math.min(bottom, top + 48) <= bar.getBoundingClientRect().top + 1 ? "" : focused.outerHTML;
}"""


@pytest.mark.parametrize("size", [(1280, 800), (360, 740)], ids=["desktop", "phone"])
def test_run_stays_in_view_and_covers_no_focused_field(gallery: Gallery, size: tuple[int, int]) -> None:
    page = gallery.open("scalars", viewport={"width": size[0], "height": size[1]})
    submit = page.locator("#task-submit")
    expect(submit).to_be_in_viewport(ratio=1)
    page.locator("#count-input").focus()
    focused = []
    while "task-submit" not in focused:
        focused.append(str(page.evaluate("document.activeElement.id")))
        assert page.evaluate(COVERED) == "", "the bar covers the focused field"
        page.keyboard.press("Tab")
    assert len(focused) > 10
    expect(submit).to_be_in_viewport(ratio=1)
