"""Redaction: a secret's value stands nowhere, however it is spelled and wherever a text is cut."""

import json

import pytest

from jobs.authoring.secrets import HIDDEN
from jobs.worker.redaction import Redactor

VALUE = "correct-horse-battery"
NASTY = 'pass "word" \\ with\ttab, é'
LINES = "-----BEGIN KEY-----\nmiddle of the key\n-----END KEY-----"


@pytest.mark.parametrize("value", [VALUE, NASTY, f" {VALUE} ", f"{VALUE}\n", LINES])
def test_a_value_is_found_however_it_is_written(value: str) -> None:
    redactor = Redactor([value])
    spelled = [value, value.strip(), repr(value)[1:-1], json.dumps(value)[1:-1]]
    for text in [*spelled, json.dumps(value, ensure_ascii=False)[1:-1]]:
        assert redactor.text(f"<{text}>").replace(HIDDEN, "").strip("<> \n\\n") == "", text
        assert redactor.line(f"<{text}>".encode()).decode().replace(HIDDEN, "").strip("<> \n\\n") == "", text


def test_each_line_of_a_value_is_one() -> None:
    redactor = Redactor([LINES])
    assert redactor.text(LINES) == HIDDEN
    assert [redactor.text(f"{line};") for line in LINES.splitlines()] == [f"{HIDDEN};"] * 3
    assert redactor.line(b"    middle of the key") == b"    " + HIDDEN.encode()


def test_the_longest_value_goes_first_and_short_ones_stay() -> None:
    redactor = Redactor(["abc", "abcd", "abcdef"])
    assert redactor.text("abc abcd abcdef xabcdx") == f"abc {HIDDEN} {HIDDEN} x{HIDDEN}x"


def test_without_secrets_everything_stays() -> None:
    redactor = Redactor([])
    assert (redactor.text("a"), redactor.line(b"a", is_whole=False)) == ("a", b"a")
    assert redactor.value({"a": ["b", 1]}) == {"a": ["b", 1]}
    assert redactor.cut("abc", 2, "…") == "ab…"


def test_keys_that_read_alike_once_they_are_redacted_both_stay() -> None:
    redactor = Redactor(["first-secret", "second-secret"])
    kept = redactor.value({"first-secret": 1, "second-secret": 2, "third": 3})
    assert kept == {HIDDEN: 1, f"{HIDDEN} (2)": 2, "third": 3}


def test_every_text_of_a_value_is_redacted_and_its_form_stays() -> None:
    redactor = Redactor([VALUE])
    given = {VALUE: [f"<{VALUE}>", 1, 2.5, True, None, {"deep": [[VALUE]]}], "harmless": "correct"}
    kept = {HIDDEN: [f"<{HIDDEN}>", 1, 2.5, True, None, {"deep": [[HIDDEN]]}], "harmless": "correct"}
    assert redactor.value(given) == kept


@pytest.mark.parametrize("longest", range(1, 60))
def test_a_text_that_is_cut_ends_with_no_beginning_of_a_value(longest: int) -> None:
    redactor = Redactor([VALUE, "battery-horse"])
    text = f"{VALUE} {VALUE[:9]} {VALUE[:12]}tery-horse" + "x" * 60
    cut = redactor.cut(text, longest, "…")
    assert len(cut) <= longest + 1
    assert cut.endswith("…")
    begun = [value[:size] for value in (VALUE, "battery-horse") for size in range(1, len(value))]
    assert not cut.removesuffix("…").endswith(tuple(begun))


@pytest.mark.parametrize("size", range(1, len(VALUE)))
def test_a_line_that_is_not_whole_ends_with_no_beginning_of_a_value(size: int) -> None:
    redactor = Redactor([VALUE])
    begun = f"é is {VALUE[:size]}".encode()
    assert redactor.line(begun, is_whole=False) == "é is ".encode()
    assert redactor.line(begun) == begun, "of a whole line nothing is left out"
    assert redactor.line(VALUE.encode(), is_whole=False) == HIDDEN.encode()


def test_bytes_that_are_not_text_hide_nothing() -> None:
    redactor = Redactor([VALUE])
    assert redactor.line(b"\xff" + VALUE.encode() + b"\xfe") == b"\xff" + HIDDEN.encode() + b"\xfe"
