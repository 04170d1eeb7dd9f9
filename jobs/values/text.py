"""Text that every database and every page can hold."""

import re

COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def keepable(text: str) -> str:
    """The text with lone surrogates and NUL characters written out, which Unicode and Postgres refuse."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def legible(line: str) -> str:
    """A line of a terminal's text without its colours, and with other control characters written out."""
    return CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", COLOUR.sub("", keepable(line)))
