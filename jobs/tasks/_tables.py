"""Query CSV files with SQL. The tables are on disk, so that memory use does not grow with the size of the file."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs import File, FinalFailure, Progress, StopRun

from ._column_types import MISSING, TEXT, Kind, kinds_of
from ._csv_files import COPIED, Encoding, Layout, copied, spoken

if TYPE_CHECKING:
    import duckdb

LOOK_SECONDS = 0.2
NAMED = 10  # columns in a note
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "128MB",
    "threads": "2",
    "preserve_insertion_order": "false",
    "autoinstall_known_extensions": "false",  # DuckDB would download them
    "autoload_known_extensions": "false",
}
# Lines that have too many fields are skipped and counted. Only a reader without threads allows line breaks in quotes
# together with lines that have too few.
LOAD = r"""CREATE TABLE texts AS SELECT * FROM read_csv(
    ?, columns = ?, header = ?, delim = ?, skip = ?, nullstr = ?, auto_detect = false, quote = '"', escape = '"',
    new_line = '\n', parallel = false, null_padding = true, store_rejects = true, rejects_limit = 100_000)"""


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
        self.columns: list[Column] = []
        self.notes: list[str] = []
        """Sentences about how the file was read."""
        self._connection = connection
        self._progress = progress
        self._at = (COPIED, "reading")

    def load(self, path: Path, layout: Layout, header: bool) -> None:
        """Load a copied file."""
        columns = dict.fromkeys(layout.names, TEXT.name)
        self.ask(LOAD, str(path), columns, header, layout.delimiter, layout.skip, list(MISSING))
        texts = [Column(name, TEXT.name) for name in layout.names]
        kinds = kinds_of(self.ask, "texts", [column.sql for column in texts], layout.delimiter)
        self.columns = [Column(column.name, kind.name) for column, kind in zip(texts, kinds, strict=True)]
        cast = ", ".join(f"{kind.cast.format(one.sql)} AS {one.sql}" for one, kind in zip(texts, kinds, strict=True))
        self.ask(f"CREATE TABLE data AS SELECT {cast} FROM texts")
        self.ask("DROP TABLE texts")
        self.notes = [*_about_file(layout), *_about_kinds(texts, kinds)]

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
    file: File, folder: Path, progress: Progress, encoding: Encoding = "Automatic", header: bool = True
) -> Iterator[Table]:
    """Open a CSV file as a table stored in a folder. Raises FinalFailure, with the reason, for an invalid file."""
    # Imported here because it takes 13 MB, and a process that has imported it reports leaks when it exits.
    import duckdb

    text = folder / "table.csv"
    layout = copied(file, text, encoding, header, progress)
    with duckdb.connect(folder / "table.duckdb", config={**SETTINGS, "temp_directory": str(folder)}) as connection:
        table = Table(connection, progress)
        try:
            table.load(text, layout, header)
        except duckdb.OutOfMemoryException:
            words = f"{file.name} needs too much memory. Check whether some of its lines have far too many columns."
            raise FinalFailure(words) from None
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].replace(str(text), file.name)
            raise FinalFailure(f"{file.name} cannot be read as CSV: {reason}") from None
        yield table


def _about_file(layout: Layout) -> Iterator[str]:
    if layout.unclosed:
        yield "A quotation mark is not closed, so part of the file may have been taken for one cell, or skipped."
    if layout.encoding != "utf-8-sig":
        yield f"The text was read as {spoken(layout.encoding)}."


def _about_kinds(columns: Sequence[Column], kinds: Sequence[Kind]) -> Iterator[str]:
    for note in dict.fromkeys(kind.note for kind in kinds if kind.note):
        names = [column.name for column, kind in zip(columns, kinds, strict=True) if kind.note == note]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"{', '.join(names[:NAMED])}{more}: {note}."
