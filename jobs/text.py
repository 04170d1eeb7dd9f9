"""Text that every database and every page can hold."""


def keepable(text: str) -> str:
    """The text with lone surrogates and NUL characters written out, which Unicode and Postgres refuse."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
