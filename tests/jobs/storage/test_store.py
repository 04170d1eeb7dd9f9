"""The file store: only whole files under their hashes, and no deletion of a file that was just put."""

import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jobs.storage.local_store import LocalStore
from jobs.storage.store import CHUNK_BYTES, PREFIXES, FileStore
from jobs.values.stored_file import StoredFile
from tests.conftest import ROOT
from tests.support.waiting import until

HOUR = 3600.0
CONTENT = b"the dish of the day"
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return LocalStore(tmp_path / "files")


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"files/lock"}


def grow_old(tmp_path: Path, name: str = f"files/{HASH[:2]}/{HASH}") -> None:
    os.utime(tmp_path / name, (time.time() - 2 * HOUR,) * 2)


def old_ones(store: FileStore) -> list[str]:
    return [name for prefix in PREFIXES for name in store.older_than(HOUR, prefix)]


class Broken(io.BytesIO):
    """A stream that ends with an error."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= CHUNK_BYTES:
            raise OSError("the line went dead")
        return super().read(size)


class Endless(io.RawIOBase):
    """A stream that generates its bytes on demand."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1, /) -> bytes:
        given = min(self.left, size)
        self.left -= given
        return b"x" * given


def test_what_is_put_comes_back_under_its_hash(store: FileStore, tmp_path: Path) -> None:
    assert store.put(CONTENT) == StoredFile(HASH, len(CONTENT))
    with store.open(HASH) as file:
        file.seek(4)
        assert file.read(4) == b"dish"
    assert files_in(tmp_path) == {f"files/{HASH[:2]}/{HASH}"}
    assert (tmp_path / "files" / HASH[:2] / HASH).stat().st_mode & 0o077 == 0


def test_the_same_content_is_kept_once_and_counts_as_put_again(store: FileStore, tmp_path: Path) -> None:
    store.put(CONTENT)
    grow_old(tmp_path)
    assert old_ones(store) == [HASH]
    assert store.put(io.BytesIO(CONTENT)) == StoredFile(HASH, len(CONTENT))
    assert old_ones(store) == []
    assert files_in(tmp_path) == {f"files/{HASH[:2]}/{HASH}"}


def test_a_large_file_is_never_held_in_memory(store: FileStore) -> None:
    endless: Any = Endless(64 * CHUNK_BYTES)
    tracemalloc.start()
    stored = store.put(endless)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored.size == 64 * CHUNK_BYTES
    assert peak < 4 * CHUNK_BYTES


def test_a_stream_that_breaks_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the line went dead"):
        store.put(Broken(b"x" * 3 * CHUNK_BYTES))
    assert files_in(tmp_path) == set()


def test_a_writer_that_is_killed_leaves_no_half_a_file_and_what_it_left_is_removed(
    store: FileStore, tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from jobs.storage.local_store import LocalStore;"
        "LocalStore(Path(sys.argv[1])).put(sys.stdin.buffer)"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "files")], cwd=ROOT, stdin=subprocess.PIPE)
    assert writer.stdin is not None
    writer.stdin.write(b"x" * 3 * CHUNK_BYTES)
    writer.stdin.flush()
    (begun,) = until(lambda: [name for name in files_in(tmp_path) if _size(tmp_path / name)], "the beginning")
    writer.kill()
    writer.wait()
    writer.stdin.close()
    assert begun.startswith("files/new/")
    assert files_in(tmp_path) == {begun}
    store.tidy(HOUR)
    assert files_in(tmp_path) == {begun}, "another writer may be at it"
    grow_old(tmp_path, begun)
    store.tidy(HOUR)
    assert files_in(tmp_path) == set()


def _size(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.parametrize("name", ["", "../lock", "lock", "/etc/passwd", HASH.upper(), HASH + "\n", "0" * 64])
def test_nothing_but_the_hash_of_a_file_opens_one(store: FileStore, name: str) -> None:
    store.put(CONTENT)
    with pytest.raises(FileNotFoundError):
        store.open(name)
    store.delete(name)
    assert store.open(HASH).read() == CONTENT


def test_a_young_file_is_not_deleted_for_its_age(store: FileStore, tmp_path: Path) -> None:
    store.put(CONTENT)
    store.delete(HASH, unless_younger_than=HOUR)
    assert store.open(HASH).read() == CONTENT
    grow_old(tmp_path)
    store.delete(HASH, unless_younger_than=HOUR)
    with pytest.raises(FileNotFoundError):
        store.open(HASH)
    store.delete(HASH)


def test_a_file_that_is_put_while_it_is_deleted_is_there(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(CONTENT)
    grow_old(tmp_path)
    unlink, putting = Path.unlink, threading.Thread(target=store.put, args=(CONTENT,))

    def unlink_late(path: Path, missing_ok: bool = False) -> None:
        """Give the writer time to put the file after its age was checked."""
        if path.name == HASH:
            putting.start()
            putting.join(0.5)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_late)
    store.delete(HASH, unless_younger_than=HOUR)
    putting.join()
    assert store.open(HASH).read() == CONTENT


def test_an_empty_store_has_nothing_old(store: FileStore, tmp_path: Path) -> None:
    assert old_ones(store) == []
    store.tidy(HOUR)
    assert not (tmp_path / "files").exists()
