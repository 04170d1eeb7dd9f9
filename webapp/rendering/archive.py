"""ZIP archives that are sent while they are written, in memory for one chunk."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from zipfile import ZipFile, ZipInfo

Member = tuple[str, Iterable[bytes]]


class Sink:
    """A file that only collects what is written to it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: the writer takes what there is."""

    def close(self) -> None:
        """Do nothing: what was written can still be taken."""

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


def archived(members: Iterable[Member], at: datetime) -> Iterator[bytes]:
    """Yield a ZIP archive of files by name, uncompressed, in chunks. Names that repeat get a number."""
    sink, used = Sink(), set[str]()
    with ZipFile(sink, "w") as archive:
        for name, chunks in members:
            info = ZipInfo(_unused(name, used), at.timetuple()[:6])
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield sink.take()
    yield sink.take()


def _unused(name: str, used: set[str]) -> str:
    stem, dot, ending = name.rpartition(".")
    start, end = (stem, f".{ending}") if dot and stem else (name, "")
    number, unused = 1, name
    while unused.casefold() in used:
        number += 1
        unused = f"{start} ({number}){end}"
    used.add(unused.casefold())
    return unused
