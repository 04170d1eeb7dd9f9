"""Read CSV files of any encoding and delimiter, and write them as UTF-8 with line ends of \\n."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from jobs import File, FinalFailure, Progress

CHUNK_BYTES = 1024 * 1024
LONGEST_LINE = 1_000_000  # characters
MOST_COLUMNS = 500
SAMPLE_BYTES = 64 * 1024
SAMPLE_RECORDS = 200
SAMPLE_CHARACTERS = 2 * LONGEST_LINE
COPIED = 0.3  # the progress when the copy is complete
# If several fit all lines equally well, the first one: commas are in many texts and numbers.
DELIMITERS = "\t;|,"
# Excel writes the delimiter in a line of its own before the others.
SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
UNDEFINED = b"\x81\x8d\x8f\x90\x9d"  # in Windows-1252; Latin-1 has a character for every byte
CODECS = {"UTF-8": "utf-8-sig", "UTF-16": "utf-16", "Windows-1252": "cp1252"}

Encoding = Literal["Automatic", "UTF-8", "UTF-16", "Windows-1252"]


@dataclass(frozen=True)
class Layout:
    """The format of a copied file: its column names, its delimiter, and the number of lines before the first record.

    `encoding` is the codec of the original, and `unclosed` whether it has an odd number of quotation marks.
    """

    names: tuple[str, ...]
    delimiter: str
    skip: int
    encoding: str
    unclosed: bool


def copied(file: File, copy: Path, encoding: Encoding, header: bool, progress: Progress) -> Layout:
    """Copy a file as UTF-8 and return its layout. Raises FinalFailure, with the reason, for a file that is no table."""
    codec, quotes = _detected(file, progress) if encoding == "Automatic" else CODECS[encoding], 0
    with copy.open("w", encoding="utf-8", newline="") as target:
        for part in _decoded(file, codec, progress):
            quotes += part.count('"')
            target.write(part)
    names, delimiter, skip = _layout(copy, header)
    return Layout(names, delimiter, skip, codec, quotes % 2 == 1)


def _detected(file: File, progress: Progress) -> str:
    """Return the codec of a file: by its mark, by the zero bytes of UTF-16, and else UTF-8 or Windows-1252."""
    with file.open() as stream:
        start = stream.read(SAMPLE_BYTES)
        for mark, codec in MARKS.items():
            if start.startswith(mark):
                return codec
        even, odd = start[::2].count(0), start[1::2].count(0)
        if max(even, odd) > len(start) / 8 and min(even, odd) < max(even, odd) / 8:
            return "utf-16-be" if even > odd else "utf-16-le"
    if _is_utf8(file, progress):
        return CODECS["UTF-8"]
    with file.open() as stream:
        chunks = iter(lambda: stream.read(CHUNK_BYTES), b"")
        return "latin-1" if any(byte in chunk for chunk in chunks for byte in UNDEFINED) else "cp1252"


def _is_utf8(file: File, progress: Progress) -> bool:
    """Return whether a file is UTF-8, or was before it was damaged: other text is not valid UTF-8 for long."""
    decoder, only_ascii = codecs.getincrementaldecoder("utf-8")(), True
    with file.open() as stream:
        while chunk := stream.read(CHUNK_BYTES):
            progress(0.0, "reading")
            try:
                only_ascii = decoder.decode(chunk).isascii() and only_ascii
            except UnicodeDecodeError as error:
                return not only_ascii or not error.object[: error.start].isascii()
    return not only_ascii or not decoder.getstate()[0]  # it may end within a character


def _decoded(file: File, codec: str, progress: Progress) -> Iterator[str]:
    """Yield the text of a file in chunks, without a byte order mark and with line ends normalised to \\n."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)(), translate=True)
    done = unended = 0
    with file.open() as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            progress(COPIED * done / max(file.size, 1), "reading")
            try:
                part = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:  # not always a UnicodeDecodeError: UTF-16 without a byte order mark
                raise _undecoded(file, codec, done + getattr(error, "start", 0)) from None
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


def _undecoded(file: File, codec: str, place: int) -> FinalFailure:
    return FinalFailure(f"{file.name} is not valid {spoken(codec)} at byte {place:,}. Choose another encoding.")


def spoken(codec: str) -> str:
    """Return the usual name of a codec."""
    names = {"utf-8-sig": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}
    return names.get(codec, codec.upper())


def _layout(copy: Path, header: bool) -> tuple[tuple[str, ...], str, int]:
    """Return a file's column names, its delimiter, and the number of lines to skip."""
    with copy.open(encoding="utf-8", newline="") as file:
        first = file.readline()
        _check(first)
        named = SEPARATOR.fullmatch(first)
        if not named:
            file.seek(0)
        sample = file.read(SAMPLE_CHARACTERS)
    delimiter = named[1] if named else _delimiter(sample)
    records = _records(sample, delimiter)
    columns = max(len(records[0]), Counter(map(len, records)).most_common(1)[0][0])
    if columns > MOST_COLUMNS:
        raise FinalFailure(f"The first line has {columns:,} columns. The limit is {MOST_COLUMNS}.")
    return _names(records[0] if header else [], columns), delimiter, 1 if named else 0


def _names(given: list[str], columns: int) -> tuple[str, ...]:
    """Return different names for the columns, whatever their case: those that are given, with numbers if needed."""
    names: dict[str, str] = {}
    for number in range(columns):
        wanted = (given[number].strip() if number < len(given) else "") or f"column {number + 1}"
        name, copies = wanted, 1
        while name.casefold() in names:
            copies += 1
            name = f"{wanted} ({copies})"
        names[name.casefold()] = name
    return tuple(names.values())


def _check(first: str) -> None:
    if not first.strip():
        raise FinalFailure(
            "The file is empty or starts with an empty line. Choose a file that starts with column names."
        )
    if "\x00" in first:
        raise FinalFailure(
            "The file contains NUL characters, so it is not text. Choose a CSV file, or another encoding."
        )


def _delimiter(sample: str) -> str:
    """Return the delimiter by which most records have as many fields as the first."""
    best, delimiter = 0.0, "\x1f"  # of a file with one column
    for mark in DELIMITERS:
        counts = [len(record) for record in _records(sample, mark)]
        alike = sum(count == counts[0] for count in counts) / len(counts)
        if counts[0] > 1 and alike > best:
            best, delimiter = alike, mark
    return delimiter


def _records(sample: str, delimiter: str) -> list[list[str]]:
    """Return the first records of a sample without the last one, which may be cut, unless it is the only one."""
    csv.field_size_limit(SAMPLE_CHARACTERS)
    read = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    found = list(islice((record for record in read if record), SAMPLE_RECORDS))
    return found[:-1] if len(found) > 1 and len(sample) == SAMPLE_CHARACTERS else found
