"""Files by their hash in a bucket, over HTTP: what it promises is what a folder promises."""

import hashlib
import os
import socket
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jobs.storage import s3_store
from jobs.storage.s3_store import FIRST_BYTES, Bucket, S3Store
from jobs.storage.store import CHUNK_BYTES, FileStore, new_name, plain_name
from jobs.values.stored_file import StoreAway, StoredFile
from tests.jobs.storage.test_store import CONTENT, HASH, Broken, Endless
from tests.support.objects import KEY, ObjectServer
from tests.support.stack import free_port


@pytest.fixture
def bucket(object_server: ObjectServer) -> str:
    return object_server.bucket()


@pytest.fixture
def store(object_server: ObjectServer, bucket: str, tmp_path: Path) -> FileStore:
    return FileStore(object_server.store(bucket, tmp_path / "waiting"))


def test_what_is_put_comes_back_under_its_hash(
    store: FileStore, object_server: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    assert store.put(CONTENT) == StoredFile(HASH, len(CONTENT))
    with store.open(HASH) as file:
        file.seek(4)
        assert file.read(4) == b"dish"
        file.seek(0)
        assert file.read() == CONTENT
    (path,) = object_server.objects(bucket)
    assert (path.parts[-4:], path.read_bytes()) == (("some", "prefix", HASH[:2], HASH), CONTENT)
    assert list((tmp_path / "waiting").iterdir()) == []


def test_an_empty_file_is_one_too(store: FileStore) -> None:
    with store.open(store.put(b"").sha256) as file:
        assert file.read() == b""


def write(store: FileStore, name: str, content: bytes) -> None:
    with store.objects.incoming() as file:
        file.write(content)
        store.objects.write(name, file)


def test_objects_of_the_same_content_are_told_apart_by_their_names(store: FileStore) -> None:
    names = [new_name(HASH) for _ in range(3)]
    for number, name in enumerate(names):
        write(store, name, b"%d" % number)
    for _ in range(2):
        store.objects.delete(names[1])
    assert [store.objects.open(name).read() for name in (names[0], names[2])] == [b"0", b"2"]
    with pytest.raises(FileNotFoundError):
        store.objects.open(names[1])


def earlier(number: int) -> str:
    """A name as earlier versions made it."""
    return f"{plain_name(HASH)}/{number:032x}"


def put_earlier(object_server: ObjectServer, bucket: str, number: int, content: bytes) -> None:
    object_server.put(bucket, f"some/prefix/{earlier(number)}", content)


def test_a_plain_name_leads_to_the_newest_object_of_an_earlier_version(
    store: FileStore, object_server: ObjectServer, bucket: str
) -> None:
    put_earlier(object_server, bucket, 2, b"old")
    put_earlier(object_server, bucket, 1, CONTENT)
    write(store, new_name(HASH), b"not of an earlier version")
    assert store.open(HASH).read() == CONTENT


def test_deleting_a_plain_name_deletes_the_objects_of_earlier_versions_and_no_others(
    store: FileStore, object_server: ObjectServer, bucket: str
) -> None:
    put_earlier(object_server, bucket, 1, CONTENT)
    put_earlier(object_server, bucket, 2, CONTENT)
    write(store, later := new_name(HASH), CONTENT)
    store.objects.delete(plain_name(HASH))
    assert [path.name for path in object_server.objects(bucket)] == [later.rpartition("/")[2]]
    store.objects.delete(plain_name(HASH))
    assert store.objects.open(later).read() == CONTENT


def test_a_large_file_is_never_held_in_memory_on_its_way_in_and_out(store: FileStore) -> None:
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


def test_only_what_is_read_is_fetched(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
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
    store: FileStore, object_server: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="the line went dead"):
        store.put(Broken(b"x" * 3 * CHUNK_BYTES))
    assert object_server.objects(bucket) == []
    assert list((tmp_path / "waiting").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../lock", "/etc/passwd", HASH.upper(), HASH + "\n", "0" * 64])
def test_nothing_but_the_hash_of_a_file_opens_one(store: FileStore, name: str) -> None:
    store.put(CONTENT)
    with pytest.raises(FileNotFoundError):
        store.open(name)
    assert store.open(HASH).read() == CONTENT


def test_a_child_of_a_process_that_has_connected_connects_itself(store: FileStore) -> None:
    store.put(CONTENT)
    child = os.fork()
    if child == 0:
        os._exit(0 if store.open(HASH).read() == CONTENT else 1)
    assert [store.open(HASH).read() for _ in range(20)] == [CONTENT] * 20
    assert os.waitpid(child, 0)[1] == 0


def test_a_store_that_is_away_says_so(object_server: ObjectServer, tmp_path: Path) -> None:
    away = FileStore(S3Store(Bucket("bucket", "", f"http://127.0.0.1:{free_port()}"), tmp_path))
    name = plain_name(HASH)
    for ask in (lambda: away.put(CONTENT), lambda: away.open(HASH), lambda: away.objects.delete(name)):
        with pytest.raises(StoreAway, match="is not responding"):
            ask()
    nowhere = FileStore(object_server.store("no-such-bucket", tmp_path))
    for ask in (lambda: nowhere.put(CONTENT), lambda: nowhere.open(HASH)):
        with pytest.raises(StoreAway):
            ask()


@pytest.mark.usefixtures("object_server")
def test_a_store_that_falls_silent_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 1 + s3_store.SILENT_RETRIES
    assert tries * max(s3_store.READ_SECONDS, s3_store.CONNECT_SECONDS) < 21
    monkeypatch.setattr(s3_store, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(StoreAway, match="is not responding"):
            S3Store(Bucket("bucket", "", place, "us-east-1"), tmp_path).open(plain_name(HASH))
    assert time.monotonic() - begun < 2


def test_a_machine_without_a_key_reports_it_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that gives Amazon's machines their key is another machine's, which does not answer."""
    monkeypatch.setattr(s3_store, "CREDENTIALS_SECONDS", 0.2)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in KEY:
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        begun = time.monotonic()
        with pytest.raises(StoreAway, match="Set AWS_ACCESS_KEY_ID"):
            S3Store(Bucket("bucket"), tmp_path).open(plain_name(HASH))
    assert time.monotonic() - begun < 2
