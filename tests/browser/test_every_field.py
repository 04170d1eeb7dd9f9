"""In the browser: every kind of field, filled in wrongly, refused, kept, corrected and sent, and sent again."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from jobs.authoring.task import Task
from tests.browser.conftest import Gallery
from tests.browser.test_forms import EITHER_WAY, add, errors, field, run, show, was_accepted
from tests.support.field_table import KINDS
from tests.support.gallery import everything
from webapp.forms import fields_of

TASK: Task = everything.__dict__["__task__"]

SECRET = "open sesame"

# What is typed into each input, wrong and right; the others are clicked.
TYPED = {
    "integer": ("7", "10"),
    "digits": ("-1", "1" * 30),
    "number": ("1.5", "0.125"),
    "decimal": ("1.005", "1.05"),
    "text": ("ab", "abc"),
    "long_text": ("a", "one\ntwo"),
    "secret": ("sesame", SECRET),
    "email": ("ada", "ada@example.com"),
    "url": ("example.com", "https://example.com/"),
    "uuid": ("1", "123e4567-e89b-12d3-a456-426614174000"),
    "date": ("2027-01-01", "2026-12-31"),
    "time": ("08:59", "09:00"),
    "moment": ("2025-12-31T22:30", "2026-07-01T10:00:30"),
    "wall_clock": ("2025-12-31T23:59", "2026-07-01T10:00"),
    "duration": ("61 min", "1 h"),
    "search": ("Atlantis", "kenya"),
    "rows.0": ("-1", "3"),
    "pairs.0.value": ("0", "1"),
    "tuple.1": ("10", "9"),
    "group.last": ("2025-01-01", "2026-01-02"),
    "variant.radius": ("0", "2.5"),
}
# What is typed beside them, right from the beginning.
BESIDE = {"rows.1": "4", "pairs.0.key": "soup", "tuple.0": "1", "group.first": "2026-01-01"}
CLICKED = ["switch", "radios", "select", "checks", "file", "files"]

KEPT = {
    "integer": 10,
    "digits": int("1" * 30),
    "number": 0.125,
    "decimal": "1.05",
    "switch": True,
    "text": "abc",
    "long_text": "one\ntwo",
    "email": "ada@example.com",
    "url": "https://example.com/",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "date": "2026-12-31",
    "time": "09:00:00",
    "wall_clock": "2026-07-01T10:00:00",
    "duration": "PT1H",
    "radios": 2,
    "select": "Friday",
    "search": "Kenya",
    "rows": [3, 4],
    "pairs": {"soup": 1},
    "tuple": [1, 9],
    "group": {"first": "2026-01-01", "last": "2026-01-02"},
    "variant": {"kind": "circle", "radius": 2.5},
}


def test_there_is_a_field_of_every_kind_and_each_is_refused_once() -> None:
    assert {one.name: one.kind for one in fields_of(TASK)} == {kind: kind for kind in KINDS}
    assert {name.partition(".")[0] for name in [*TYPED, *CLICKED]} == set(KINDS)


@pytest.fixture
def notes(tmp_path: Path) -> dict[str, Path]:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    return {name: tmp_path / f"{name}.txt" for name in "abc"}


@EITHER_WAY
def test_every_field_is_refused_keeps_its_value_and_is_accepted_once_right(
    gallery: Gallery, notes: dict[str, Path], scripts: bool
) -> None:
    page = gallery.open("everything", scripts, timezone_id="Europe/Berlin")
    fill_in_wrongly(page, notes, scripts)
    run(page)
    page.locator(".problems").wait_for()
    assert errors(page) == [where_wrong(one.name) for one in fields_of(TASK)]
    assert_kept(page, {name: wrong for name, (wrong, _right) in TYPED.items()} | BESIDE)
    expect(of(page, "checks").get_by_label("Monday")).to_be_checked()
    expect(of(page, "variant").get_by_label("Circle")).to_be_checked()
    expect(page.locator("#files-kept bdi")).to_have_text(["a.txt"])

    correct(page, notes)
    field(page, "integer").fill("11")  # once more, so that all that is right is kept as well
    run(page)
    expect(page.locator(".field__error:visible")).to_have_count(1)
    assert errors(page) == ["integer"]
    right = {name: right for name, (_wrong, right) in TYPED.items()} | BESIDE
    assert_kept(page, right | {"integer": "11", "select": "Friday"})
    for name, choice in {"switch": "Switch", "radios": "Rather large", "checks": "Sunday"}.items():
        expect(of(page, name).get_by_label(choice)).to_be_checked()
    expect(page.locator("#file-kept bdi")).to_have_text(["c.txt"])
    expect(page.locator("#files-kept bdi")).to_have_text(["a.txt", "b.txt"])

    field(page, "integer").fill("10")
    run(page)
    was_accepted(page)
    assert_is_kept(gallery.kept(), scripts)
    if scripts:
        run(page)
        expect(page.locator("#runs-list > *")).to_have_count(2)
        assert_is_kept(gallery.kept(), scripts)


def fill_in_wrongly(page: Page, notes: dict[str, Path], scripts: bool) -> None:
    of(page, "variant").get_by_label("Circle").check()
    show(page, "Variant", scripts)
    field(page, "variant.radius").wait_for()
    add(page, "Pairs")
    field(page, "pairs.0.key").wait_for()
    for name, (wrong, _right) in TYPED.items():
        field(page, name).fill(wrong)
    for name, text in BESIDE.items():
        field(page, name).fill(text)
    of(page, "checks").get_by_label("Monday").check()
    field(page, "files").set_input_files(notes["a"])


def correct(page: Page, notes: dict[str, Path]) -> None:
    for name, (_wrong, right) in TYPED.items():
        field(page, name).fill(right)
    of(page, "switch").get_by_label("Switch").check()
    of(page, "radios").get_by_label("Rather large").check()
    field(page, "select").select_option("Friday")
    of(page, "checks").get_by_label("Sunday").check()
    field(page, "file").set_input_files(notes["c"])
    field(page, "files").set_input_files(notes["b"])


def of(page: Page, name: str) -> Locator:
    return page.locator(f"[id='field-{name}']")


def where_wrong(name: str) -> str:
    """Return the name of the field, or of its part, at which the error appears."""
    parts = [one for one in TYPED if one.startswith(f"{name}.") and name != "group"]
    return parts[0] if parts else name


def assert_kept(page: Page, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        if name != "secret":
            expect(field(page, name)).to_have_value(text)
    expect(of(page, "secret").get_by_text("The saved value is used")).to_be_visible()
    assert SECRET not in page.content()


def assert_is_kept(kept: dict[str, Any], scripts: bool) -> None:
    assert {name: kept[name] for name in KEPT} == KEPT
    assert sorted(kept["checks"]) == ["Monday", "Sunday"]
    assert kept["moment"] == ("2026-07-01T08:00:30Z" if scripts else "2026-07-01T10:00:30Z"), "in the reader's time"
    assert kept["secret"].keys() == {"$sealed"}
    assert SECRET not in str(kept)
    assert kept["file"]["$file"]["name"] == "c.txt"
    assert [one["$file"]["name"] for one in kept["files"]] == ["a.txt", "b.txt"]
