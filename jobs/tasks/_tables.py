"""CSV files as tables to ask questions of. They lie on the disk: a gigabyte needs no more memory than a page of it."""

import codecs
import contextlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jobs import File, FinalFailure, Progress, StopRun

if TYPE_CHECKING:
    import duckdb

CHUNK_BYTES = 1024 * 1024
LONGEST_LINE = 1_000_000  # characters
MOST_COLUMNS = 500
LOOK_SECONDS = 0.2
COPIED = 0.3  # the share of the work, after which the copy is made
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "128MB",
    "threads": "2",
    "preserve_insertion_order": "false",
    "autoinstall_known_extensions": "false",  # it would fetch them
    "autoload_known_extensions": "false",
}
# All of the file says what type a column has; lines that fit nothing are left out and counted.
LOAD = """CREATE TABLE data AS SELECT * FROM read_csv(
    ?, header = ?, sample_size = -1, null_padding = true, store_rejects = true, rejects_limit = 100_000)"""

Encoding = Literal["UTF-8", "UTF-16", "Windows-1252"]


@dataclass(frozen=True)
class Column:
    """A column and its type, in DuckDB's words."""

    name: str
    type: str

    @property
    def sql(self) -> str:
        """Its name as SQL has it."""
        return '"' + self.name.replace('"', '""') + '"'


class Table:
    """A table to ask in SQL, where it is called `data`; while it is asked, the run can be stopped."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", progress: Progress) -> None:
        self._connection = connection
        self._progress = progress
        self._at = (COPIED, "reading")

    @cached_property
    def columns(self) -> list[Column]:
        return [Column(name, kind) for name, kind, *_ in self.ask("DESCRIBE data")]

    @cached_property
    def rows(self) -> int:
        return int(self.ask("SELECT count(*) FROM data")[0][0])

    @cached_property
    def left_out(self) -> int:
        """How many lines could not be read."""
        return int(self.ask("SELECT count(DISTINCT line) FROM reject_errors")[0][0])

    def tell(self, fraction: float, note: str) -> None:
        """Say how much of what is asked has been answered."""
        self._at = (COPIED + (1 - COPIED) * fraction, note)
        self._progress(*self._at)

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer, row by row."""
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(lambda: self._connection.execute(question, values).fetchall())
            while not wait([answer], LOOK_SECONDS).done:
                try:
                    self._progress(*self._at)
                except StopRun:
                    self._connection.interrupt()
                    raise
            return answer.result()


@contextlib.contextmanager
def opened(
    file: File, folder: Path, progress: Progress, encoding: Encoding = "UTF-8", header: bool = True
) -> Iterator[Table]:
    """A CSV file as a table, kept in a folder. Raises FinalFailure, in words for its owner, for what is none."""
    # Only who opens a table needs it: it takes 13 MB, and tells of leaks wherever it was imported when that ends.
    import duckdb

    text = folder / "table.csv"
    with text.open("w", encoding="utf-8", newline="") as copy:
        for part in _decoded(file, encoding, progress):
            copy.write(part)
    _check(text)
    with duckdb.connect(folder / "table.duckdb", config={**SETTINGS, "temp_directory": str(folder)}) as connection:
        table = Table(connection, progress)
        try:
            table.ask(LOAD, str(text), header)
        except duckdb.OutOfMemoryException:
            words = f"{file.name} needs more memory than there is. Some of its lines may have far too many columns."
            raise FinalFailure(words) from None
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].replace(str(text), file.name)
            raise FinalFailure(f"{file.name} cannot be read as CSV: {reason}") from None
        yield table


def _decoded(file: File, encoding: Encoding, progress: Progress) -> Iterator[str]:
    """The text of a file, piece by piece, without a mark of its byte order and with one kind of line ends."""
    decode = codecs.getincrementaldecoder("utf-8-sig" if encoding == "UTF-8" else encoding)()
    decoder = io.IncrementalNewlineDecoder(decode, translate=True)
    done = unended = 0
    with file.open() as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            progress(COPIED * done / max(file.size, 1), "reading")
            try:
                part = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:  # of UTF-16 without its mark it is no UnicodeDecodeError
                raise _undecoded(file, encoding, done + getattr(error, "start", 0)) from None
            unended = _unended(part, unended)
            yield part
            if not chunk:
                return
            done += len(chunk)


def _unended(part: str, before: int) -> int:
    """How many characters the last line has up to here. Raises FinalFailure where a line never seems to end."""
    length = before + len(part) if (end := part.rfind("\n")) < 0 else len(part) - end - 1
    if max(length, before + part.find("\n")) > LONGEST_LINE:
        raise FinalFailure(
            f"A line has more than {LONGEST_LINE:,} characters: this is no table, or has too many columns."
        )
    return length


def _undecoded(file: File, encoding: Encoding, place: int) -> FinalFailure:
    return FinalFailure(f"{file.name} is not written in {encoding}: see byte {place:,}. Choose another encoding.")


def _check(text: Path) -> None:
    with text.open(encoding="utf-8", newline="") as file:
        first = file.readline()
    if not first.strip():
        raise FinalFailure("The file is empty, or begins with an empty line. Choose one that begins with names.")
    if "\x00" in first:
        raise FinalFailure("The file holds bytes that no text has. Choose a CSV file, or another encoding.")
    columns = 1 + max(first.count(mark) for mark in ",;\t|")
    if columns > MOST_COLUMNS:
        raise FinalFailure(f"The first line has {columns:,} columns, and {MOST_COLUMNS} can be looked at.")
