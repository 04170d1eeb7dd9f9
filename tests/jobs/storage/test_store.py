"""Files by their hash in a folder: whole, whatever ends their writer."""

import hashlib
import io
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jobs.storage.local_store import LocalStore
from jobs.storage.store import CHUNK_BYTES, FileStore, new_name, plain_name
from jobs.values.stored_file import StoredFile
from tests.conftest import ROOT
from tests.support.waiting import until

HOUR = 3600.0
CONTENT = b"the dish of the day"
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(LocalStore(tmp_path / "files"))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


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


def test_the_same_content_is_kept_once(store: FileStore, tmp_path: Path) -> None:
    for source in (CONTENT, io.BytesIO(CONTENT)):
        assert store.put(source) == StoredFile(HASH, len(CONTENT))
    assert files_in(tmp_path) == {f"files/{HASH[:2]}/{HASH}"}


def test_objects_of_the_same_content_are_told_apart_by_their_names(store: FileStore, tmp_path: Path) -> None:
    names = [plain_name(HASH), new_name(HASH), new_name(HASH)]
    for number, name in enumerate(names):
        with store.objects.incoming() as file:
            file.write(b"%d" % number)
            file.flush()
            store.objects.write(name, file)
    store.objects.delete(names[1])
    store.objects.delete(names[1])
    assert [store.objects.open(name).read() for name in (names[0], names[2])] == [b"0", b"2"]
    assert len(files_in(tmp_path)) == 2


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
        "from jobs.storage.store import FileStore;"
        "FileStore(LocalStore(Path(sys.argv[1]))).put(sys.stdin.buffer)"
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
    store.objects.tidy(HOUR)
    assert files_in(tmp_path) == {begun}, "another writer may be at it"
    os.utime(tmp_path / begun, (time.time() - 2 * HOUR,) * 2)
    store.objects.tidy(HOUR)
    assert files_in(tmp_path) == set()


def _size(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.parametrize("name", ["", "../lock", "lock", "/etc/passwd", HASH.upper(), HASH + "\n", "0" * 64])
def test_nothing_but_the_hash_of_a_file_opens_one(store: FileStore, name: str) -> None:
    store.put(CONTENT)
    with pytest.raises(FileNotFoundError):
        store.open(name)
    assert store.open(HASH).read() == CONTENT


@pytest.mark.parametrize("name", ["", "../lock", "new/x", f"{HASH[:2]}/../{HASH}", f"{plain_name(HASH)}/../x", HASH])
def test_no_other_name_leads_out_of_the_store(store: FileStore, name: str) -> None:
    store.put(CONTENT)
    for use in (store.objects.open, store.objects.delete):
        with pytest.raises(FileNotFoundError):
            use(name)


def test_a_store_that_was_never_used_has_no_folder(store: FileStore, tmp_path: Path) -> None:
    store.objects.tidy(HOUR)
    assert not (tmp_path / "files").exists()


def test_many_files_that_are_being_written_take_little_memory(store: FileStore) -> None:
    begun = [store.begin()]  # what the first one loads is not counted
    tracemalloc.start()
    try:
        begun += [store.begin() for _ in range(200)]
        for writer in begun:
            writer.write(b"x" * 100)
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    finally:
        tracemalloc.stop()
        for writer in begun:
            writer.discard()
