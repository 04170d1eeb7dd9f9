"""A pattern that the browser is told accepts what the model accepts."""

import pytest

from webapp.forms.patterns import browser_pattern


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("^[a-z]+$", "^[a-z]+$"),
        ("[a-z]", r"[\s\S]*(?:[a-z])[\s\S]*"),
        ("^a|b$", r"[\s\S]*(?:^a|b$)[\s\S]*"),
        (r"^\d+\-.$", r"^\p{Nd}+-[^\n]$"),
        (r"^[\w.-]+$", r"^[[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}].\-]+$"),
        (r"^(?P<year>\d{4})/$", r"^(?:\p{Nd}{4})\/$"),
        (r"^[]a-]+$", r"^[\]a\-]+$"),
    ],
)
def test_a_pattern_is_rewritten_for_the_browser(pattern: str, told: str) -> None:
    assert browser_pattern(pattern) == told


@pytest.mark.parametrize(
    "pattern", ["(?i)a", r"\bword\b", "[[:alpha:]]", "[a&&b]", "[ -~]", "[a-z-9]", "a**", r"\x{41}", "a++"]
)
def test_what_a_browser_reads_otherwise_is_left_to_the_server(pattern: str) -> None:
    assert browser_pattern(pattern) is None
