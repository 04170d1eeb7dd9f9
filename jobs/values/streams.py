"""Convert open files and buffers: texts and bytes are shown, files become downloads."""

import io
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.values.downloads import Download
from jobs.values.errors import NoForm
from jobs.values.places import Place

# What open() returns. Its name is the path of its content, unlike that of a file in an archive.
ON_DISK = (io.FileIO, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)


def is_stream(kind: type) -> bool:
    """Return whether a type is one of open files or buffers."""
    return issubclass(kind, io.IOBase) or kind.__module__ == "tempfile"


def converted(stream: Any, place: Place) -> Any:
    """Return the text or bytes of a buffer in memory, or the stored form of an open file, all of it from the start."""
    if isinstance(stream, io.StringIO):
        return stream.getvalue()
    if isinstance(stream, io.BytesIO):
        return place.files.content(stream.getvalue(), place)
    if not stream.closed:
        with suppress(OSError):  # it is open for reading only
            stream.flush()
    if path := _path_of(stream):
        return place.files.path(path, place)
    if stream.closed:
        raise NoForm("The file is closed. Return it before that, or return its path.")
    return _copied(getattr(stream, "buffer", stream), place)


def _path_of(stream: Any) -> Path | None:
    within = getattr(stream, "file", stream)  # of a named temporary file
    name = getattr(stream, "name", None)
    if not isinstance(within, ON_DISK) or not isinstance(name, str | bytes | os.PathLike):
        return None
    path = Path(os.fsdecode(name))
    return path if path.is_file() else None


def _copied(stream: Any, place: Place) -> Any:
    """Store the content of a file that has no path."""
    with suppress(OSError, AttributeError):  # what reads from an archive or from memory has no descriptor
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise NoForm("It is a pipe, a socket or a device. Return what was read from it.")
    if stream.seekable():
        stream.seek(0)
    name = getattr(stream, "name", "")
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        file = Download(Path(copy.name), name=name if isinstance(name, str) and name else "file")
        return place.files.download(file, place)
