"""Prepare text for the database and for readers."""

import re

COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def in_unicode(text: str) -> str:
    """Return the text with lone surrogates escaped, which no encoding can represent."""
    return text.encode("utf-8", "backslashreplace").decode()


def keepable(text: str) -> str:
    """Return the text with lone surrogates (invalid in UTF-8) and NUL characters (rejected by Postgres) escaped."""
    return in_unicode(text).replace("\x00", "\\x00")


def label_of(name: str) -> str:
    """Return a name from Python code as a label: "start_date" as "Start date"."""
    return name.replace("_", " ").strip().capitalize()


def legible(line: str) -> str:
    """Return a line of terminal output without colour codes, and with other control characters escaped."""
    return CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", COLOUR.sub("", keepable(line)))
