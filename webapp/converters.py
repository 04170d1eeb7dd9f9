"""Converters of addresses: what does not fit leads to 404 instead of a failed query."""

from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Map, UnicodeConverter

LARGEST_ROW = 2**31 - 1


class RowId(IntegerConverter):
    """The id of a row that has 32 bits."""

    def __init__(self, url_map: Map, *args: Any, **options: Any) -> None:
        super().__init__(url_map, *args, **{"max": LARGEST_ROW, **options})


class Text(UnicodeConverter):
    """Text without NUL, which Postgres cannot store."""

    def __init__(self, url_map: Map, *args: Any, **options: Any) -> None:
        super().__init__(url_map, *args, **options)
        self.regex = self.regex.replace("[^/]", r"[^/\x00]")


def init_app(app: Flask) -> None:
    app.url_map.converters.update(row=RowId, text=Text)
