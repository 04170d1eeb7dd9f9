"""Files, buffers, and models that hold files."""

import dataclasses
import gzip
import io
import os
import socket
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
import pandas as pd
import pydantic.dataclasses
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PlainSerializer, RootModel, SecretStr, computed_field
from pydantic import field_serializer as serialised

from jobs import Chart, Download, Html, Markdown, Tile
from tests.values.case import Case, File, Picture, table

SOUP = b"dish,price\nsoup,3\n"
RED = Picture((2, 1), {(0, 0): (200, 30, 40, 255)})
BARS = {"$chart": {"kind": "bar", "series": {"": [1.0]}, "x": [], "title": "", "x_label": "", "y_label": ""}}
HEXADECIMAL = "bytes that are not text are shown in hexadecimal."
REPLACED = "the parts of a file name that are not UTF-8 were replaced."


def red() -> Image.Image:
    return Image.new("RGB", (2, 1), (200, 30, 40))


def bars() -> Chart:
    return Chart("bar", [1])


def written(name: str | bytes, content: bytes = SOUP) -> Path:
    path = Path(tempfile.mkdtemp()) / os.fsdecode(name)
    path.write_bytes(content)
    return path


def open_file(mode: str, read: int = 0) -> Any:
    file = written("menu.csv").open(mode)
    if read:
        file.read(read)
    return file


def being_written() -> Any:
    file = written("menu.csv", b"").open("wb")
    file.write(SOUP)
    return file


def temporary(**options: Any) -> Any:
    file = tempfile.TemporaryFile(**options)  # noqa: SIM115  # what a task returns stays open
    file.write(SOUP)
    return file


def named_temporary() -> Any:
    file = tempfile.NamedTemporaryFile(prefix="menu", suffix=".csv")  # noqa: SIM115
    file.write(SOUP)
    return {"size": len(SOUP), "file": file}


def spooled() -> Any:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115
    file.write(SOUP)
    return file


def closed() -> Any:
    file = temporary()
    file.close()
    return {"file": file, "n": 1}


def compressed() -> Any:
    return gzip.open(written("menu.csv.gz", gzip.compress(SOUP)))


def in_archive() -> Any:
    with zipfile.ZipFile(archive := io.BytesIO(), "w") as file:
        file.writestr("menus/menu.csv", SOUP)
    return zipfile.ZipFile(archive).open("menus/menu.csv")


def read_buffer() -> io.BytesIO:
    buffer = io.BytesIO(SOUP)
    buffer.read()
    return buffer


@dataclasses.dataclass
class Report:
    image: Any
    path: Path
    file: Download
    chart: Chart
    frames: list[Any] = dataclasses.field(default_factory=list)


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    image: Image.Image
    path: Path
    file: Download
    chart: Chart
    text: Markdown | None = None
    table: Any = None
    nested: list["Model"] = []


class Fields(BaseModel):
    model_config = ConfigDict(extra="allow")

    plain: int = Field(1, serialization_alias="Plain")
    hidden: int = Field(2, exclude=True)
    written: Annotated[int, PlainSerializer(lambda value: f"{value} g", when_used="json")] = 3
    listed: list[Annotated[float, PlainSerializer(lambda value: round(value, 1))]] = [0.123]
    shown: float = 0.456
    secret: SecretStr = SecretStr("hidden")
    url: HttpUrl = HttpUrl("https://example.com")

    @serialised("shown")
    def _shown(self, value: float) -> str:
        return f"{value:.0%}"

    @computed_field
    def twice(self) -> int:
        return 2 * self.plain


@pydantic.dataclasses.dataclass
class Checked:
    number: int
    path: Path


class Typed(TypedDict):
    image: Any
    path: Path


def report(kind: Any) -> Any:
    return kind(image=red(), path=written("menu.csv"), file=Download(b"soup", "soup.txt"), chart=bars())


REPORT = {"image": RED, "path": File("menu.csv", SOUP), "file": File("soup.txt", b"soup"), "chart": BARS}

CASES = {
    "text in a buffer": Case(lambda: io.BytesIO(b"soup"), "soup"),
    "a buffer that was read": Case(lambda: {"csv": read_buffer()}, {"csv": SOUP.decode()}),
    "StringIO": Case(lambda: io.StringIO("soup"), "soup"),
    "an open file": Case(lambda: open_file("rb"), File("menu.csv", SOUP), shown=["menu.csv", "Download"]),
    "an open text file that was read": Case(lambda: [open_file("r", 5)], [File("menu.csv", SOUP)]),
    "a file that is being written": Case(being_written, File("menu.csv", SOUP)),
    "a temporary file": Case(temporary, File("file", SOUP)),
    "a named temporary file": Case(lambda: named_temporary()["size"], len(SOUP)),
    "a temporary file in memory": Case(spooled, File("file", SOUP)),
    "a compressed file": Case(compressed, File("menu.csv.gz", SOUP)),
    "a file in an archive": Case(in_archive, File("menu.csv", SOUP)),
    "a closed file": Case(closed, {"file": None, "n": 1}, ["file: left out. The file is closed."]),
    "a pipe": Case(
        lambda: {"p": os.fdopen(os.pipe()[0], "rb"), "n": 1}, {"p": None, "n": 1}, ["p: left out. It is a pipe"]
    ),
    "a socket": Case(
        lambda: {"s": socket.socketpair()[0].makefile("rb"), "n": 1}, {"s": None, "n": 1}, ["s: left out. It is a pipe"]
    ),
    "a path": Case(lambda: written("menu.csv"), File("menu.csv", SOUP)),
    "a path in a list": Case(
        lambda: [written("a.txt", b"a"), written("b.txt", b"b")], [File("a.txt", b"a"), File("b.txt", b"b")]
    ),
    "a missing path": Case(
        lambda: {"report": Path("/missing.pdf"), "n": 1},
        {"report": None, "n": 1},
        ["report: left out. /missing.pdf: No such file or directory. Return str(path)"],
    ),
    "a folder": Case(lambda: [Path("/"), 1], [None, 1], ["[0]: left out. / is not a regular file."]),
    "a name that is not UTF-8": Case(
        lambda: written(b"caf\xe9.txt"), File("caf\ufffd.txt", SOUP), [REPLACED.capitalize().replace("utf", "UTF")]
    ),
    "names that are not UTF-8": Case(
        lambda: sorted(os.listdir(written(b"caf\xe9.txt").parent)),
        ["caf\\udce9.txt"],
        ["[0]: characters that do not exist"],
    ),
    "a name that hides its folder": Case(lambda: Download(b"x", "../../etc/soup.txt"), File("soup.txt", b"x")),
    "a long name": Case(lambda: Download(b"x", "n" * 500 + ".txt"), File("n" * 96 + ".txt", b"x")),
    "a download of a buffer": Case(lambda: Download(io.BytesIO(b"x"), "a.txt"), File("a.txt", b"x")),  # type: ignore[arg-type]  # forgiven
    "a download of a text": Case(
        lambda: {"a": Download("x", "a.txt"), "n": 1},  # type: ignore[arg-type]  # the mistake that is tested
        {"a": None, "n": 1},
        ["a: left out. The content of this Download is of type str."],
    ),
    "bytes of text": Case(lambda: ["soupe à l'oignon".encode(), bytearray(b"a"), b""], ["soupe à l'oignon", "a", ""]),
    "short bytes": Case(
        lambda: {"digest": bytes(range(4)), "n": 1}, {"digest": "00010203", "n": 1}, [f"digest: {HEXADECIMAL}"]
    ),
    "many bytes": Case(
        lambda: {"model": b"\xff\x00" * 100},
        {"model": File("file", b"\xff\x00" * 100)},
        ["model: bytes that are too many"],
    ),
    "much text in bytes": Case(
        lambda: [b"soup " * 200_000], [File("file", b"soup " * 200_000)], ["[0]: bytes that are too many"]
    ),
    "dataclass": Case(lambda: report(Report), {**REPORT, "frames": []}, shown=["menu.csv"]),
    "model": Case(lambda: report(Model), {**REPORT, "text": None, "table": None, "nested": []}, shown=["menu.csv"]),
    "models within models": Case(
        lambda: [
            report(Model).model_copy(
                update={"nested": [report(Model)], "table": pd.DataFrame({"a": [1]}), "text": Markdown("*")}
            )
        ],
        [
            {
                **REPORT,
                "text": {"$markdown": "*"},
                "table": table("a", [1]),
                "nested": [{**REPORT, "text": None, "table": None, "nested": []}],
            }
        ],
    ),
    "fields of a model": Case(
        lambda: Fields(more=(1,)),  # type: ignore[call-arg]  # an extra one
        {
            "Plain": 1,
            "written": "3 g",
            "listed": [0.1],
            "shown": "46%",
            "secret": "**********",
            "url": "https://example.com/",
            "more": [1],
            "twice": 2,
        },
    ),
    "root model": Case(lambda: RootModel[list[Path]]([written("a.txt", b"a")]), [File("a.txt", b"a")]),
    "dataclass of pydantic": Case(
        lambda: Checked(1, written("a.txt", b"a")), {"number": 1, "path": File("a.txt", b"a")}
    ),
    "typed dict": Case(
        lambda: Typed(image=red(), path=written("menu.csv")), {"image": RED, "path": File("menu.csv", SOUP)}
    ),
    "deep within": Case(
        lambda: {"a": ({"b": [red(), bars()]},), "h": Html("<b>x</b>")},
        {"a": [{"b": [RED, BARS]}], "h": {"$html": "<b>x</b>"}},
    ),
    "a file in an array": Case(
        lambda: np.array([written("a.txt", b"a"), None], dtype=object), [File("a.txt", b"a"), None]
    ),
    "a tile as a result": Case(
        lambda: {"t": Tile(red(), 0, 0, 2, 1), "n": 1}, {"t": None, "n": 1}, ["t: left out. A tile can only be"]
    ),
}
