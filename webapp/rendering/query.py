"""Values in query strings."""

LONGEST = 19  # digits; more fit no id


def whole_number(text: str | None) -> int | None:
    """Return a whole number from a query string, or None if it is missing or invalid."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= LONGEST else None
