"""The table of results in docs/tasks.md: `python -m tests.support.result_table` writes it."""

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

from jobs.values.json_value import json_value
from jobs.values.stored_file import StoredFile
from jobs.values.value_store import ValueStore
from webapp.rendering.results import Result

DOCUMENT = Path(__file__).parents[2] / "docs" / "tasks.md"
BEGIN, END = "<!-- results: make docs writes what follows -->\n", "<!-- end of results -->\n"

NAMES = """
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
import numpy, pandas, polars
from PIL import Image
from pydantic import BaseModel
from jobs import Chart, Download, Html, Markdown
class Menu(BaseModel):
    dish: str = "soup"
image = Image.new("RGB", (2, 1))
png = BytesIO()
image.save(png, "PNG")
png = png.getvalue()
content = b"a,b"
"""
RESULTS = (
    '"a text"',
    "3.5",
    'Decimal("1.10")',
    "datetime(2026, 1, 2)",
    "numpy.float64(0.5)",
    "[1, 2, 3]",
    "numpy.arange(3)",
    '{"loss": 0.1, "best": {"step": 4}}',
    "Menu()",
    '[{"name": "Ada", "age": 36}]',
    'pandas.DataFrame({"a": [1, 2]})',
    'polars.DataFrame({"a": [1, 2]})',
    'Markdown("# Report")',
    'Html("<h3>Report</h3>")',
    'Chart("bar", {"2026": [3, 4]}, ["north", "south"])',
    "Chart.histogram([1, 2, 2, 3])",
    "image",
    "png",
    'Download(content, name="menu.csv")',
    'Path("LICENSE")',
    '[Markdown("# Report"), image, Download(content)]',
)
SHAPES = {
    "scalar": "a large line",
    "text": "a text with its line breaks, and a button that copies it",
    "sequence": "a list",
    "mapping": "names with their values, each shown as what it is",
    "table": "a table: its first rows, all of them sorted and paged, and as CSV",
    "markdown": "formatted text",
    "html": "cleaned HTML: text, its structure and links",
    "chart": "a chart, with its numbers as a table and as CSV",
    "picture": "a picture",
    "file": "a file to download, with its size and SHA-256",
    "several": "each below the other, shown as what it is",
}


def shape_of(expression: str) -> str:
    """What a page makes of a value that a task returns."""
    names: dict[str, Any] = {}
    exec(NAMES, names)
    known: set[str] = set()

    def keep(stream: BinaryIO, _name: str, _media_type: str) -> StoredFile:
        content = stream.read()
        known.add(hashlib.sha256(content).hexdigest())
        return StoredFile(hashlib.sha256(content).hexdigest(), len(content))

    kept = json_value(ValueStore(keep, "a_task").result(eval(expression, names)))
    return Result(1, "a_task", kept, frozenset(known), ()).shape


def table() -> str:
    """The table as Markdown."""
    lines = [f"| `{expression}` | {SHAPES[shape_of(expression)]} |" for expression in RESULTS]
    return "\n".join(("| Returned or emitted | The page shows |", "| --- | --- |", *lines, ""))


def written(document: str) -> str:
    """The document with the table as it is now."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
