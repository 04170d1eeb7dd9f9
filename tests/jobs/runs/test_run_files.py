"""Files of runs: noted under the run's lease, and shown to its owner only."""

import hashlib
import math
from typing import Any

import pytest

from jobs.runs import lease, output
from jobs.runs.backend import Backend
from jobs.runs.files import FileRow
from jobs.runs.output import read_output
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run
from jobs.runs.run_files import owned_file, stored_in
from jobs.values.stored_file import RunFile
from jobs.worker.pending_output import PendingOutput
from tests.support import databases
from tests.support.people import claimed, make_owner, make_run
from tests.support.stored_files import sweep


@pytest.fixture
def run(backend: Backend) -> Run:
    return claimed(backend, make_run(backend, make_owner(backend)))


def put(backend: Backend, content: bytes = b"soup", name: str = "soup.png") -> RunFile:
    return RunFile(*backend.files.put(content), name, "image/png")


def reference(file: RunFile) -> dict[str, Any]:
    return {"$picture": {"sha256": file.sha256, "width": 2, "height": 1}}


def seen(backend: Backend, run: Run, file: RunFile, owner_id: int | None = None) -> RunFile | None:
    with backend.database.read() as session:
        return owned_file(session, run.owner_id if owner_id is None else owner_id, run.id, file.sha256)


def test_a_file_is_its_owners_alone(backend: Backend, run: Run) -> None:
    file, other = put(backend), make_run(backend, make_owner(backend, "ben@example.com"))
    assert seen(backend, run, file) is None
    assert output.store(backend.database, run, [], files=[file])
    assert seen(backend, run, file) == file
    assert seen(backend, run, file, other.owner_id) is None
    assert seen(backend, other, file) is None


def test_a_run_that_lost_its_lease_notes_no_file(backend: Backend, run: Run) -> None:
    file = put(backend)
    lease.release(backend.database, "worker")
    assert output.store(backend.database, run, [], files=[file]) is None
    assert seen(backend, run, file) is None


def test_the_same_file_may_be_noted_again_and_keeps_its_first_name(backend: Backend, run: Run) -> None:
    file = put(backend)
    assert output.store(backend.database, run, [], files=[file, file._replace(name="second.png")])
    assert output.store(backend.database, run, [], files=[file._replace(name="third.png"), put(backend, b"other")])
    assert seen(backend, run, file) == file


def test_a_file_waits_for_the_batch_that_refers_to_it_and_for_the_database(backend: Backend, run: Run) -> None:
    pending, file = PendingOutput(backend, run), put(backend)
    pending.add_file(file)
    assert pending.due_at == math.inf, "one transaction is enough for both"
    pending.emit(reference(file))
    databases.take_away(backend.settings.data_dir)
    try:
        assert pending.try_to_store([])
    finally:
        databases.bring_back(backend.settings.data_dir)
    assert pending.store()
    assert seen(backend, run, file) == file
    assert len(read_output(backend.database, run.id, OutputKind.EMITTED).batches) == 1
    last = put(backend, b"the result")
    pending.add_file(last)
    assert pending.store()
    assert seen(backend, run, last) == last, "the one of a result comes with no batch"


def test_only_what_a_run_has_stored_itself_is_a_picture_of_it(backend: Backend, run: Run) -> None:
    own, foreign, unnoted = (put(backend, content) for content in (b"own", b"foreign", b"unnoted"))
    other = claimed(backend, make_run(backend, run.owner_id))
    assert output.store(backend.database, run, [], files=[own])
    assert output.store(backend.database, other, [], files=[foreign])
    values = [reference(own), reference(foreign), reference(unnoted), "text", None]
    assert stored_in(backend.database, run.id, values) == {own.sha256}
    assert stored_in(backend.database, run.id, {"deep": [values]}) == {own.sha256}


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "../../etc/passwd"},
        {"sha256": "A" * 64},
        {"width": "2"},
        {"width": 0},
        {"height": 10**12},
        {"height": 1.5},
        {"tile": {"x": 0, "y": 0, "width": '1"', "height": 1}},
        {"tile": {"x": 0, "y": 0, "width": 1, "height": 1, "more": 1}},
        {"href": "javascript:alert(1)"},
    ],
)
def test_what_has_not_the_form_of_a_reference_is_none(backend: Backend, run: Run, change: dict[str, Any]) -> None:
    own = put(backend)
    assert output.store(backend.database, run, [], files=[own])
    forged = {"$picture": {**reference(own)["$picture"], **change}}
    beside = {**reference(own), "more": 1}
    assert stored_in(backend.database, run.id, [forged, beside]) == set()


@pytest.mark.both_stores
def test_a_file_that_was_deleted_before_it_was_noted_is_not_noted(backend: Backend, run: Run) -> None:
    gone = put(backend)
    sweep(backend)
    assert output.store(backend.database, run, [], files=[gone, there := put(backend, b"there")])
    assert (seen(backend, run, gone), seen(backend, run, there)) == (None, there)


def test_many_files_are_noted(backend: Backend, run: Run) -> None:
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000)]
    files = [RunFile(name, 1, "tile.png", "image/png") for name in names]
    with backend.database.write() as session:
        session.add_all(FileRow(sha256=name, size=1, object_name=name) for name in names)
    assert output.store(backend.database, run, [], files=files)
    assert len(stored_in(backend.database, run.id, [reference(file) for file in files])) == len(files)
