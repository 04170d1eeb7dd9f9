"""The record of stored files: what it says is stored is there, whoever else stores or deletes the same content."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from jobs.runs.backend import Backend, open_backend
from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.files import FileRow, RecordedFiles
from jobs.storage.s3_store import FIRST_BYTES
from jobs.storage.store import FileStore, ObjectStore
from jobs.values.stored_file import StoreAway, StoredFile
from tests.support.stored_files import A_DAY, AN_HOUR, Hooked, hashes_in, let_pass, object_of, strays

pytestmark = pytest.mark.both_stores

CONTENT = b"the dish of the day"
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def objects(backend: Backend) -> ObjectStore:
    return backend.files.objects


@pytest.fixture
def files(backend: Backend, objects: ObjectStore) -> RecordedFiles:
    return RecordedFiles(objects, backend.database)


@pytest.fixture
def other(backend: Backend, objects: ObjectStore) -> Iterator[RecordedFiles]:
    """The same store, as another process has it."""
    second = open_backend(backend.settings, backend.catalog)
    yield RecordedFiles(objects, second.database)
    second.database.close()


def sweep(backend: Backend, objects: ObjectStore) -> None:
    FileCleanup(backend.database, objects).sweep()


def test_a_file_is_stored_once_and_recorded(files: RecordedFiles, backend: Backend) -> None:
    for _ in range(2):
        assert files.put(CONTENT) == StoredFile(HASH, len(CONTENT))
    assert files.open(HASH).read() == CONTENT
    assert hashes_in(backend) == [HASH], "its name says what it holds"
    assert strays(backend.database) == set()
    with backend.database.read() as session:
        assert session.get_one(FileRow, HASH).size == len(CONTENT)


def test_a_file_that_is_put_again_counts_as_new(files: RecordedFiles, backend: Backend, objects: ObjectStore) -> None:
    files.put(CONTENT)
    let_pass(backend.database, AN_HOUR)
    files.put(CONTENT)
    sweep(backend, objects)
    assert files.open(HASH).read() == CONTENT


def test_a_file_that_was_never_stored_is_not_found(files: RecordedFiles) -> None:
    with pytest.raises(FileNotFoundError):
        files.open(HASH)


def test_a_file_of_a_version_without_a_record_is_found(files: RecordedFiles, objects: ObjectStore) -> None:
    FileStore(objects).put(CONTENT)
    assert files.open(HASH).read() == CONTENT


def test_putting_a_file_again_helps_when_the_store_has_lost_it(
    files: RecordedFiles, backend: Backend, objects: ObjectStore
) -> None:
    files.put(CONTENT)
    lost = object_of(backend.database, HASH)
    assert lost is not None
    objects.delete(lost)
    files.put(CONTENT)
    assert files.open(HASH).read() == CONTENT
    assert strays(backend.database) == {lost}, "in case that it is only late"
    sweep(backend, objects)
    assert (files.open(HASH).read(), strays(backend.database)) == (CONTENT, set())


def test_a_file_that_is_stored_twice_at_once_is_recorded_once(
    backend: Backend, objects: ObjectStore, other: RecordedFiles
) -> None:
    files = RecordedFiles(Hooked(objects, before_write=lambda: other.put(CONTENT)), backend.database)
    assert files.put(CONTENT) == StoredFile(HASH, len(CONTENT))
    assert len(hashes_in(backend)) == 2
    let_pass(backend.database, AN_HOUR)
    other.put(CONTENT)
    let_pass(backend.database, A_DAY - AN_HOUR)
    other.put(CONTENT)
    sweep(backend, objects)
    assert len(hashes_in(backend)) == 1
    assert files.open(HASH).read() == CONTENT


def test_a_file_that_is_found_stored_at_the_end_is_as_new(
    backend: Backend, objects: ObjectStore, other: RecordedFiles
) -> None:
    def meanwhile() -> None:
        other.put(CONTENT)
        let_pass(backend.database, AN_HOUR)

    RecordedFiles(Hooked(objects, before_write=meanwhile), backend.database).put(CONTENT)
    sweep(backend, objects)
    assert other.open(HASH).read() == CONTENT


def test_files_that_are_stored_at_the_same_moment_are_recorded_once(
    backend: Backend, objects: ObjectStore, other: RecordedFiles
) -> None:
    """Both are about to add the same row: one of them waits for the other's, and is refused on Postgres."""
    files = RecordedFiles(objects, backend.database)
    putting = threading.Thread(target=other.put, args=(CONTENT,), daemon=True)

    @event.listens_for(backend.database.engine, "before_cursor_execute")
    def adding(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO files") and not putting.ident:
            putting.start()
            putting.join(0.5)

    files.put(CONTENT)
    putting.join()
    assert files.open(HASH).read() == CONTENT
    assert len(strays(backend.database)) <= 1, "on Postgres that of the one who was refused"


def test_a_stream_that_is_stored_for_too_long_is_refused(backend: Backend, objects: ObjectStore) -> None:
    def meanwhile() -> None:
        let_pass(backend.database, A_DAY)
        sweep(backend, objects)

    files = RecordedFiles(Hooked(objects, before_write=meanwhile), backend.database)
    with pytest.raises(StoreAway, match="took too long"):
        files.put(CONTENT)
    assert (hashes_in(backend), strays(backend.database)) == ([], set())
    files.put(CONTENT)
    assert files.open(HASH).read() == CONTENT


def test_a_store_that_fails_leaves_a_stray_that_is_swept_after_a_day(backend: Backend, objects: ObjectStore) -> None:
    def fail() -> None:
        raise StoreAway("gone")

    with pytest.raises(StoreAway, match="gone"):
        RecordedFiles(Hooked(objects, after_write=fail), backend.database).put(CONTENT)
    let_pass(backend.database, AN_HOUR)
    sweep(backend, objects)
    assert len(hashes_in(backend)) == 1, "it may still be on its way"
    let_pass(backend.database, A_DAY)
    sweep(backend, objects)
    assert (hashes_in(backend), strays(backend.database)) == ([], set())


def test_without_the_database_the_store_is_away(files: RecordedFiles, backend: Backend, tmp_path: Path) -> None:
    files.put(CONTENT)
    nowhere = backend.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/none/none.db"})
    away = RecordedFiles(files.objects, open_backend(nowhere, backend.catalog).database)
    for ask in (lambda: away.put(CONTENT), lambda: away.open(HASH)):
        with pytest.raises(StoreAway, match="The database is not responding"):
            ask()


def late(statement: str, backend: Backend, action: Callable[[], object]) -> None:
    """Do something once, right after a statement that begins so and before its transaction ends."""
    waiting = [action]

    @event.listens_for(backend.database.engine, "after_cursor_execute")
    def then(_connection: object, _cursor: object, executed: str, *_rest: object) -> None:
        if executed.startswith(statement) and waiting:
            waiting.pop()()


def test_a_file_that_is_put_before_the_sweeper_locks_it_stays(
    files: RecordedFiles, other: RecordedFiles, backend: Backend, objects: ObjectStore
) -> None:
    files.put(CONTENT)
    let_pass(backend.database, AN_HOUR)
    before = object_of(backend.database, HASH)
    late("SELECT", backend, lambda: other.put(CONTENT))
    sweep(backend, objects)
    assert object_of(backend.database, HASH) == before
    assert files.open(HASH).read() == CONTENT


def test_a_file_that_is_put_while_its_row_is_deleted_is_stored_again(
    files: RecordedFiles, other: RecordedFiles, backend: Backend, objects: ObjectStore
) -> None:
    files.put(CONTENT)
    let_pass(backend.database, AN_HOUR)
    putting, before = (
        threading.Thread(target=other.put, args=(CONTENT,), daemon=True),
        object_of(backend.database, HASH),
    )

    def start() -> None:
        putting.start()
        putting.join(0.5)
        assert putting.is_alive(), "it waits for the row"

    late("DELETE FROM files", backend, start)
    sweep(backend, objects)
    putting.join()
    assert object_of(backend.database, HASH) not in (None, before)
    assert files.open(HASH).read() == CONTENT
    assert len(hashes_in(backend)) == 1


@pytest.mark.parametrize("moment", ["before_delete", "after_delete"])
def test_a_file_that_is_put_while_its_object_is_deleted_is_stored_again(
    files: RecordedFiles, other: RecordedFiles, backend: Backend, objects: ObjectStore, moment: str
) -> None:
    files.put(CONTENT)
    let_pass(backend.database, AN_HOUR)
    sweep(backend, Hooked(objects, **{moment: lambda: other.put(CONTENT)}))
    assert files.open(HASH).read() == CONTENT
    assert (len(hashes_in(backend)), strays(backend.database)) == (1, set())


def test_a_sweeper_that_was_asleep_deletes_nothing_that_is_new(
    files: RecordedFiles, other: RecordedFiles, backend: Backend, objects: ObjectStore
) -> None:
    """It wakes up when another one has taken over, has swept, and the same content has been stored again."""
    files.put(CONTENT)
    let_pass(backend.database, AN_HOUR)

    def meanwhile() -> None:
        sweep(backend, objects)
        other.put(CONTENT)

    sweep(backend, Hooked(objects, before_delete=meanwhile))
    assert files.open(HASH).read() == CONTENT


def test_who_reads_a_file_reads_on_when_it_is_put_again(
    files: RecordedFiles, backend: Backend, objects: ObjectStore
) -> None:
    stored = files.put(content := os.urandom(4 * FIRST_BYTES))
    with files.open(stored.sha256) as file:
        begun = file.read(10)
        files.put(content)
        assert begun + file.read() == content
    let_pass(backend.database, AN_HOUR)
    sweep(backend, objects)
    assert hashes_in(backend) == []
