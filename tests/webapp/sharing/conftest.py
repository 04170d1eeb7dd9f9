"""A run with something to hide in each of its parts."""

from dataclasses import dataclass

import pytest
from sqlalchemy import update

from jobs.runs import lease, output
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.run import Run
from jobs.values.stored_file import RunFile
from tests.support.people import claimed, make_run, note_file, owner_id
from tests.support.visitor import Visitor

RESULT, PARAMETER, LINE, PARTIAL = "shown result", "hidden parameter", "hidden line", "hidden partial result"
GIVEN, MADE, NOTE, TAG = b"hidden upload", b"hidden file", "hidden note", "hidden-tag"


@dataclass(frozen=True)
class Secretive:
    """The run, and the files that it was given, has made, and has shown as a partial result."""

    id: int
    owner_id: int
    given: RunFile
    made: RunFile


def reference(file: RunFile) -> dict[str, object]:
    return {"$file": file._asdict()}


@pytest.fixture
def secretive(backend: Backend, ada: Visitor) -> Secretive:
    owner = owner_id(backend, ada.email)
    run = claimed(backend, make_run(backend, owner, parameters={"text": PARAMETER}))
    given = note_file(backend, run.id, GIVEN, "text/plain", "upload.txt")
    made = note_file(backend, run.id, MADE, "text/plain", "made.txt")
    parameters = {"text": PARAMETER, "file": reference(given), "key": {"$sealed": "•••"}}
    with backend.database.write() as session:
        noted = {"note": NOTE, "tags": [TAG], "starred": True}
        session.execute(update(Run).where(Run.id == run.id).values(parameters=parameters, **noted))
    for kind, content in ((OutputKind.LOG, LINE), (OutputKind.EMITTED, PARTIAL)):
        assert output.store(backend.database, run, [Batch(kind, [Entry(1.5, "out", content)], 100)])
    result = {"table": [{"cell": RESULT}, {"cell": "b"}], "file": reference(made), "text": RESULT}
    assert lease.succeed(backend.database, run, result)
    return Secretive(run.id, owner, given, made)
