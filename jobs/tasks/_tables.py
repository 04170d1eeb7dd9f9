"""Query CSV files with SQL. The tables are on disk, so that memory use does not grow with the size of the file."""

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
COPIED = 0.3  # the progress when the copy is complete
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "128MB",
    "threads": "2",
    "preserve_insertion_order": "false",
    "autoinstall_known_extensions": "false",  # DuckDB would download them
    "autoload_known_extensions": "false",
}
# Column types are detected from the whole file; lines that do not match are skipped and counted.
LOAD = """CREATE TABLE data AS SELECT * FROM read_csv(
    ?, header = ?, sample_size = -1, null_padding = true, store_rejects = true, rejects_limit = 100_000)"""

Encoding = Literal["UTF-8", "UTF-16", "Windows-1252"]


@dataclass(frozen=True)
class Column:
    """A column, with its DuckDB type."""

    name: str
    type: str

    @property
    def sql(self) -> str:
        """The quoted name for use in SQL."""
        return '"' + self.name.replace('"', '""') + '"'


class Table:
    """A table to query in SQL under the name `data`. The run can be cancelled during a query."""

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
        """The number of lines that could not be parsed."""
        return int(self.ask("SELECT count(DISTINCT line) FROM reject_errors")[0][0])

    def tell(self, fraction: float, note: str) -> None:
        """Report the progress of the queries, as a fraction of all of them."""
        self._at = (COPIED + (1 - COPIED) * fraction, note)
        self._progress(*self._at)

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows. Raises StopRun when the run's owner has cancelled it."""
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
    """Open a CSV file as a table stored in a folder. Raises FinalFailure, with the reason, for an invalid file."""
    # Imported here because it takes 13 MB, and a process that has imported it reports leaks when it exits.
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
            words = f"{file.name} needs too much memory. Check whether some of its lines have far too many columns."
            raise FinalFailure(words) from None
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].replace(str(text), file.name)
            raise FinalFailure(f"{file.name} cannot be read as CSV: {reason}") from None
        yield table


def _decoded(file: File, encoding: Encoding, progress: Progress) -> Iterator[str]:
    """Yield the text of a file in chunks, without a byte order mark and with line ends normalised to \\n."""
    decode = codecs.getincrementaldecoder("utf-8-sig" if encoding == "UTF-8" else encoding)()
    decoder = io.IncrementalNewlineDecoder(decode, translate=True)
    done = unended = 0
    with file.open() as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            progress(COPIED * done / max(file.size, 1), "reading")
            try:
                part = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:  # not always a UnicodeDecodeError: UTF-16 without a byte order mark
                raise _undecoded(file, encoding, done + getattr(error, "start", 0)) from None
            unended = _unended(part, unended)
            yield part
            if not chunk:
                return
            done += len(chunk)


def _unended(part: str, before: int) -> int:
    """Return the length of the last line so far, in characters. Raises FinalFailure for an overlong line."""
    length = before + len(part) if (end := part.rfind("\n")) < 0 else len(part) - end - 1
    if max(length, before + part.find("\n")) > LONGEST_LINE:
        raise FinalFailure(f"A line has more than {LONGEST_LINE:,} characters. Choose a CSV file with fewer columns.")
    return length


def _undecoded(file: File, encoding: Encoding, place: int) -> FinalFailure:
    return FinalFailure(f"{file.name} is not valid {encoding} at byte {place:,}. Choose another encoding.")


def _check(text: Path) -> None:
    with text.open(encoding="utf-8", newline="") as file:
        first = file.readline()
    if not first.strip():
        raise FinalFailure(
            "The file is empty or starts with an empty line. Choose a file that starts with column names."
        )
    if "\x00" in first:
        raise FinalFailure(
            "The file contains NUL characters, so it is not text. Choose a CSV file, or another encoding."
        )
    columns = 1 + max(first.count(mark) for mark in ",;\t|")
    if columns > MOST_COLUMNS:
        raise FinalFailure(f"The first line has {columns:,} columns. The limit is {MOST_COLUMNS}.")
