"""Deleting files: those that nothing refers to go, and none that somebody is about to refer to."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import delete, event, func, select

from jobs.authoring.file_parameters import File
from jobs.runs import file_cleanup
from jobs.runs.backend import Backend, open_backend
from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.file_ownership import NotKept, attach, note_uploads
from jobs.runs.files import FileRow
from jobs.runs.people import Person
from jobs.runs.run import Run
from jobs.runs.run_files import owned_file
from jobs.runs.uploads import Upload
from jobs.storage.database import Database
from jobs.values.stored_file import RunFile, StoreAway
from jobs.worker.sweeper import Sweeper
from tests.support.people import make_owner, make_run, note_file
from tests.support.stored_files import AN_HOUR, Hooked, hashes_in, let_pass, strays, sweep

pytestmark = pytest.mark.both_stores

PLENTY = 10**9


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


def put(backend: Backend, content: bytes = b"soup") -> RunFile:
    return RunFile(*backend.files.put(content), "soup.txt", "text/plain")


def upload(backend: Backend, owner_id: int, content: bytes = b"soup") -> RunFile:
    note_uploads(backend.database, owner_id, [file := put(backend, content)], PLENTY)
    return file


def forget_uploads(database: Database) -> None:
    """A day after they have been sent, uploads are forgotten."""
    with database.write() as session:
        session.execute(delete(Upload))


def is_there(backend: Backend, file: RunFile) -> bool:
    try:
        backend.files.open(file.sha256).close()
    except FileNotFoundError:
        return False
    return True


def run_with(owner_id: int, file: RunFile) -> Run:
    parameters = {"table": File(file.name, file.size, file.sha256, file.media_type).kept()}
    return Run(task="count_lines", owner_id=owner_id, parameters=parameters)


def submit(database: Database, owner_id: int, file: RunFile) -> Run:
    run = run_with(owner_id, file)
    with database.write() as session:
        session.add(run)
        attach(session, run)
    return run


def test_what_nothing_refers_to_is_deleted_after_an_hour(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    noted, sent, stray = note_file(backend, run.id, b"noted"), upload(backend, owner_id, b"sent"), put(backend)
    let_pass(backend.database, AN_HOUR)
    young = put(backend, b"young")
    FileCleanup(backend.database, backend.files.objects).sweep()
    assert [is_there(backend, one) for one in (noted, sent, stray, young)] == [True, True, False, True]
    with backend.database.write() as session:
        session.execute(delete(Run).where(Run.id == run.id))
    forget_uploads(backend.database)
    sweep(backend)
    assert [is_there(backend, one) for one in (noted, sent, young)] == [False] * 3
    assert hashes_in(backend) == []
    assert strays(backend.database) == set()


def test_a_file_that_two_runs_refer_to_stays_for_the_other(backend: Backend, owner_id: int) -> None:
    one, other = (make_run(backend, owner_id) for _ in range(2))
    file = note_file(backend, one.id, b"soup")
    assert note_file(backend, other.id, b"soup") == file
    with backend.database.write() as session:
        session.execute(delete(Run).where(Run.id == one.id))
    sweep(backend)
    assert is_there(backend, file)


def test_an_account_takes_its_files_along(backend: Backend, owner_id: int) -> None:
    other = make_owner(backend, "ben@example.com")
    mine = [note_file(backend, make_run(backend, owner_id).id, b"mine"), upload(backend, owner_id, b"sent")]
    theirs = note_file(backend, make_run(backend, other).id, b"theirs")
    with backend.database.write() as session:
        session.execute(delete(Person).where(Person.id == owner_id))
    sweep(backend)
    assert [is_there(backend, one) for one in (*mine, theirs)] == [False, False, True]


def test_the_sweeper_comes_by_every_file(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_cleanup, "MOST_FILES", 3)
    files = [put(backend, b"%d" % number) for number in range(10)]
    let_pass(backend.database, AN_HOUR)
    sweeper = Sweeper(backend)
    for _page in range(4):
        sweeper.sweep()
    assert not any(is_there(backend, file) for file in files)
    assert hashes_in(backend) == []


def test_a_page_of_files_in_use_does_not_end_the_walk(
    backend: Backend, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_cleanup, "MOST_FILES", 3)
    used = [upload(backend, owner_id, b"%d" % number) for number in range(10)]
    cleanup = FileCleanup(backend.database, backend.files.objects)
    cleanup.sweep()
    later = [put(backend, b"later %d" % number) for number in range(10)]
    let_pass(backend.database, AN_HOUR)
    for _page in range(14):
        cleanup.sweep()
    assert [all(is_there(backend, file) for file in files) for files in (used, later)] == [True, False]
    assert not any(is_there(backend, file) for file in later)


def test_a_store_that_is_away_is_swept_when_it_is_back(backend: Backend) -> None:
    def fail() -> None:
        raise StoreAway("gone")

    file = put(backend)
    let_pass(backend.database, AN_HOUR)
    with pytest.raises(StoreAway):
        FileCleanup(backend.database, Hooked(backend.files.objects, before_delete=fail)).sweep()
    assert len(hashes_in(backend)) == 1
    FileCleanup(backend.database, backend.files.objects).sweep()
    assert (is_there(backend, file), hashes_in(backend)) == (False, [])


class Meanwhile(threading.Thread):
    """Another process that does something, and the error that ended it."""

    def __init__(self, backend: Backend, action: Callable[[Backend], object]) -> None:
        super().__init__()
        self._backend, self._action = backend, action
        self.error: Exception | None = None

    def run(self) -> None:
        other = open_backend(self._backend.settings, self._backend.catalog)
        try:
            self._action(other)
        except Exception as error:
            self.error = error
        finally:
            other.database.close()

    def begin(self) -> None:
        """Start, and go on when it waits or is done."""
        self.start()
        self.join(0.5)


def test_a_file_that_a_run_is_about_to_refer_to_stays(backend: Backend, owner_id: int) -> None:
    file = upload(backend, owner_id)
    let_pass(backend.database, AN_HOUR)

    def forget_and_sweep(other: Backend) -> None:
        forget_uploads(other.database)
        FileCleanup(other.database, other.files.objects).sweep()

    sweeping = Meanwhile(backend, forget_and_sweep)
    run = run_with(owner_id, file)
    with backend.database.write() as session:
        session.add(run)
        attach(session, run)
        sweeping.begin()
    sweeping.join()
    assert sweeping.error is None
    assert is_there(backend, file)
    FileCleanup(backend.database, backend.files.objects).sweep()
    assert is_there(backend, file)


def test_a_file_that_is_referred_to_before_the_sweeper_locks_it_stays(backend: Backend, owner_id: int) -> None:
    file = put(backend)
    let_pass(backend.database, AN_HOUR)
    referring = Meanwhile(backend, lambda other: note_uploads(other.database, owner_id, [file], PLENTY))

    @event.listens_for(backend.database.engine, "after_cursor_execute")
    def looked(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "EXISTS" in statement and not referring.ident:
            referring.begin()

    FileCleanup(backend.database, backend.files.objects).sweep()
    referring.join()
    assert referring.error is None
    assert is_there(backend, file)


def test_a_file_whose_row_is_being_deleted_cannot_be_referred_to(backend: Backend, owner_id: int) -> None:
    file = put(backend)
    let_pass(backend.database, AN_HOUR)
    referring = Meanwhile(backend, lambda other: note_uploads(other.database, owner_id, [file], PLENTY))

    @event.listens_for(backend.database.engine, "after_cursor_execute")
    def deleted(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE FROM files"):
            referring.begin()
            assert referring.is_alive(), "it waits for the row"

    FileCleanup(backend.database, backend.files.objects).sweep()
    referring.join()
    assert isinstance(referring.error, NotKept)
    with backend.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_a_run_cannot_have_a_file_that_has_been_deleted(backend: Backend, owner_id: int) -> None:
    file = upload(backend, owner_id)
    forget_uploads(backend.database)
    sweep(backend)
    with pytest.raises(NotKept):
        submit(backend.database, owner_id, file)


def test_a_run_can_have_a_file_that_an_earlier_version_has_stored_without_a_record(
    backend: Backend, owner_id: int
) -> None:
    file = upload(backend, owner_id)
    with backend.database.write() as session:
        session.execute(delete(FileRow))
    run = submit(backend.database, owner_id, file)
    with backend.database.read() as session:
        assert owned_file(session, owner_id, run.id, file.sha256) == file
