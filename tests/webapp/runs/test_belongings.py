"""Files of users: private, kept while they are needed, and limited in size."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import event, select

from jobs.runs import uploads
from jobs.runs.backend import Backend
from jobs.runs.file_ownership import QuotaExceeded, note_uploads, used_bytes
from jobs.runs.run import Run
from jobs.runs.uploads import Upload
from jobs.values.stored_file import RunFile
from tests.support.html_form import sent_by
from tests.support.people import execute, note_file, owner_id, read
from tests.support.stored_files import hashes_in, sweep
from tests.support.uploading import cramped, error, file, good, run_of, send
from tests.support.visitor import Visitor, soup, the


@pytest.fixture(autouse=True)
def small(app: Flask, backend: Backend) -> Backend:
    return cramped(app, backend)


def test_a_file_of_somebody_else_is_refused_at_its_field(ada: Visitor, ben: Visitor, small: Backend) -> None:
    theirs = sent_by(the(soup(send(ben, good(title=""))), "#task-form"))["cover"]
    for reference in (theirs, f"{'0' * 64} a.txt", "../../etc/passwd", "x"):
        assert "no longer available" in error(send(ada, {"title": "x", "cover": reference}), "cover")
    assert run_of(small, send(ben, {"title": "x", "cover": theirs}))


@pytest.mark.both_stores
def test_running_again_and_changing_parameters_keep_files(ada: Visitor, small: Backend) -> None:
    run = run_of(small, send(ada, good(pages=[file(b"12", "1.txt")])))
    execute(small, run.id)
    again = run_of(small, ada.post(f"/runs/{run.id}/retry"))
    forget_uploads(small)
    execute(small, again.id)
    assert (again.id != run.id, read(small, again).result) == (True, [4, 2])
    form = the(soup(ada.get(f"/tasks/bind?run={run.id}")), "#task-form")
    third = run_of(small, send(ada, sent_by(form).to_dict(flat=False)))
    assert third.parameters == run.parameters


def forget_uploads(backend: Backend) -> None:
    with backend.database.write() as session:
        for upload in session.scalars(select(Upload)):
            upload.created_at = upload.created_at.replace(year=2020)
    uploads.forget(backend.database)


@pytest.mark.both_stores
def test_what_no_run_took_is_swept_after_a_day_and_refused_then(ada: Visitor, small: Backend) -> None:
    run = run_of(small, send(ada, good()))
    waiting = sent_by(the(soup(send(ada, good(title="", cover=file(b"waits")))), "#task-form"))
    sweep(small)
    assert len(hashes_in(small)) == 2, "a form may still be put right"
    forget_uploads(small)
    sweep(small)
    assert hashes_in(small) == [run.parameters["cover"]["$file"]["sha256"]]
    waiting["title"] = "y"
    assert "no longer available" in error(send(ada, waiting.to_dict(flat=False)), "cover")


@pytest.mark.both_stores
def test_a_quota_holds_for_all_files_of_a_user_and_says_what_to_do(ada: Visitor, ben: Visitor, small: Backend) -> None:
    for number in range(4):
        assert send(ada, good(pages=[file(bytes([number]) * 90_000)])).status_code == 303
    run = run_of(small, send(ada, good()))
    note_file(small, run.id, b"made by a task" * 6_000)
    words = error(send(ada, good(pages=[file(b"last" * 20_000)])), "pages")
    assert words.startswith("Storage limit reached: your files can total at most 0.5 MB.")
    assert run_of(small, send(ben, good(pages=[file(b"last" * 20_000)]))), "everybody has room of his own"
    assert run_of(small, send(ada, good(pages=[file(b"small")])))


def test_two_uploads_at_once_cannot_pass_the_quota_together(ada: Visitor, small: Backend) -> None:
    owner = owner_id(small, ada.email)
    one, other = (RunFile(*small.files.put(content), "a", "text/plain") for content in (b"1" * 60, b"2" * 60))
    note_uploads(small.database, owner, [one, one], 100)
    with pytest.raises(QuotaExceeded):
        note_uploads(small.database, owner, [other], 100)
    with small.database.read() as session:
        assert used_bytes(session, owner) == 60, "the same counts once, and what is refused not at all"


def test_uploads_at_the_same_moment_are_noted_one_after_the_other(ada: Visitor, small: Backend) -> None:
    owner = owner_id(small, ada.email)
    files = [RunFile(*small.files.put(b"%d" % (number % 4) * 30), "a", "text/plain") for number in range(16)]

    def note(one: RunFile) -> bool:
        with contextlib.suppress(QuotaExceeded):
            note_uploads(small.database, owner, [one], 100)
            return True
        return False

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(note, files))
    with small.database.read() as session:
        assert used_bytes(session, owner) == 90
    assert sum(taken) == 12, "of four with the same content all or none are taken"


def test_a_file_that_a_run_takes_while_files_are_swept_stays(ada: Visitor, small: Backend) -> None:
    waiting = sent_by(the(soup(send(ada, good(title="", cover=file(b"waits")))), "#task-form"))
    waiting["title"] = "y"
    taken: list[Run] = []

    @event.listens_for(small.database.engine, "after_cursor_execute")
    def take(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if (
            "EXISTS" in statement and "FROM files" in statement and not taken
        ):  # what was sent is forgotten as soon as a run has it
            taken.append(run_of(small, send(ada, waiting.to_dict(flat=False))))
            forget_uploads(small)

    sweep(small)
    assert small.files.open(taken[0].parameters["cover"]["$file"]["sha256"])
