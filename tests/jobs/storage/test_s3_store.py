"""The file store in a bucket, over HTTP: what it promises is what the one in a folder promises."""

import hashlib
import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jobs.storage.s3_store import FIRST_BYTES, Bucket, S3Store
from jobs.storage.store import CHUNK_BYTES
from jobs.values.stored_file import StoreAway, StoredFile
from tests.jobs.storage.test_store import CONTENT, HASH, HOUR, Broken, Endless
from tests.support.objects import ObjectServer
from tests.support.stack import free_port


@pytest.fixture
def bucket(object_server: ObjectServer) -> str:
    return object_server.bucket()


@pytest.fixture
def store(object_server: ObjectServer, bucket: str, tmp_path: Path) -> S3Store:
    return object_server.store(bucket, tmp_path / "waiting")


def copies(object_server: ObjectServer, bucket: str) -> list[str]:
    """The hashes of what the bucket holds, one for each object."""
    return [path.parent.name for path in object_server.objects(bucket)]


def test_what_is_put_comes_back_under_its_hash(
    store: S3Store, object_server: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    assert store.put(CONTENT) == StoredFile(HASH, len(CONTENT))
    with store.open(HASH) as file:
        file.seek(4)
        assert file.read(4) == b"dish"
        file.seek(0)
        assert file.read() == CONTENT
    (path,) = object_server.objects(bucket)
    assert (path.parts[-5:-1], path.read_bytes()) == (("some", "prefix", HASH[:2], HASH), CONTENT)
    assert list((tmp_path / "waiting").iterdir()) == []


def test_an_empty_file_is_one_too(store: S3Store) -> None:
    with store.open(store.put(b"").sha256) as file:
        assert file.read() == b""


def test_the_same_content_is_kept_once_and_counts_as_put_again(
    store: S3Store, object_server: ObjectServer, bucket: str
) -> None:
    store.put(CONTENT)
    object_server.grow_old(bucket, HASH, 2 * HOUR)
    assert store.older_than(HOUR, HASH[:2]) == [HASH]
    assert store.put(io.BytesIO(CONTENT)) == StoredFile(HASH, len(CONTENT))
    assert store.older_than(HOUR, HASH[:2]) == []
    assert copies(object_server, bucket) == [HASH]


def test_a_large_file_is_never_held_in_memory_on_its_way_in_and_out(store: S3Store) -> None:
    endless: Any = Endless(64 * CHUNK_BYTES)
    store.put(CONTENT)  # what is imported and connected for the first time does not count
    tracemalloc.start()
    stored = store.put(endless)
    digest = hashlib.sha256()
    with store.open(stored.sha256) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored == (digest.hexdigest(), 64 * CHUNK_BYTES)
    assert peak < 32 * CHUNK_BYTES


def test_only_what_is_read_is_fetched(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store.put(content := os.urandom(16 * CHUNK_BYTES))
    read, fetched = S3Store.read, list[int]()

    def counted(*given: Any) -> bytes:
        fetched.append(len(part := read(*given)))
        return part

    monkeypatch.setattr(S3Store, "read", counted)
    with store.open(stored.sha256) as file:
        file.seek(5_000_000)
        assert file.read(10) == content[5_000_000:5_000_010]
        file.seek(-3, os.SEEK_END)
        assert file.read() == content[-3:]
    assert fetched == [FIRST_BYTES, 3]


def test_a_stream_that_breaks_leaves_nothing(
    store: S3Store, object_server: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="the line went dead"):
        store.put(Broken(b"x" * 3 * CHUNK_BYTES))
    assert copies(object_server, bucket) == []
    assert list((tmp_path / "waiting").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../lock", "/etc/passwd", HASH.upper(), HASH + "\n", "0" * 64])
def test_nothing_but_the_hash_of_a_file_opens_one(store: S3Store, name: str) -> None:
    store.put(CONTENT)
    with pytest.raises(FileNotFoundError):
        store.open(name)
    store.delete(name)
    assert store.open(HASH).read() == CONTENT


def test_a_young_file_is_not_deleted_for_its_age(store: S3Store, object_server: ObjectServer, bucket: str) -> None:
    store.put(CONTENT)
    store.delete(HASH, unless_younger_than=HOUR)
    assert store.open(HASH).read() == CONTENT
    object_server.grow_old(bucket, HASH, 2 * HOUR)
    store.delete(HASH, unless_younger_than=HOUR)
    with pytest.raises(FileNotFoundError):
        store.open(HASH)
    store.delete(HASH)


def test_a_file_that_is_put_while_it_is_deleted_is_there(
    store: S3Store, object_server: ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(CONTENT)
    object_server.grow_old(bucket, HASH, 2 * HOUR)
    remove, late = S3Store._remove, [CONTENT]

    def remove_late(self: S3Store, copies: Any) -> None:
        """Put the file again after its age was checked, and before it is removed."""
        if late:
            self.put(late.pop())
        remove(self, copies)

    monkeypatch.setattr(S3Store, "_remove", remove_late)
    store.delete(HASH, unless_younger_than=HOUR)
    assert store.open(HASH).read() == CONTENT


def test_who_reads_a_file_reads_on_when_it_is_put_again(store: S3Store) -> None:
    stored = store.put(content := os.urandom(4 * FIRST_BYTES))
    with store.open(stored.sha256) as file:
        begun = file.read(10)
        store.put(content)
        assert begun + file.read() == content


def test_a_shelf_holds_what_begins_with_its_digits(store: S3Store, object_server: ObjectServer, bucket: str) -> None:
    store.put(CONTENT)
    object_server.grow_old(bucket, HASH, 2 * HOUR)
    assert [prefix for prefix in ("00", HASH[:2], "ff") if store.older_than(HOUR, prefix)] == [HASH[:2]]


def test_a_child_of_a_process_that_has_connected_connects_itself(store: S3Store) -> None:
    store.put(CONTENT)
    child = os.fork()
    if child == 0:
        os._exit(0 if store.open(HASH).read() == CONTENT else 1)
    assert [store.open(HASH).read() for _ in range(20)] == [CONTENT] * 20
    assert os.waitpid(child, 0)[1] == 0


def test_a_store_that_is_away_says_so(object_server: ObjectServer, tmp_path: Path) -> None:
    away = S3Store(Bucket("bucket", "", f"http://127.0.0.1:{free_port()}"), tmp_path)
    for ask in (lambda: away.put(CONTENT), lambda: away.open(HASH), lambda: away.older_than(HOUR, "00")):
        with pytest.raises(StoreAway, match="is not responding"):
            ask()
    with pytest.raises(StoreAway):
        object_server.store("no-such-bucket", tmp_path).put(CONTENT)
