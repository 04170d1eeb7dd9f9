"""Mails that a run has ended: for those who want one, about runs of more than a minute, and once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from jobs.runs import lease, run_mails
from jobs.runs.backend import Backend
from jobs.runs.mails import Mail
from jobs.runs.people import Person
from jobs.runs.run import Run
from jobs.runs.task_records import TaskRecord, record_task
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from jobs.worker import mail_sender
from tests.support.people import claimed, make_owner, make_run

SETTINGS = {"mail_url": "smtp://127.0.0.1:1", "mail_from": "dw@example.org", "public_url": "https://dw.example"}


@pytest.fixture
def owner_id(backend: Backend) -> int:
    """An owner who wants mails."""
    owner_id = make_owner(backend)
    with backend.database.write() as session:
        session.execute(update(Person).where(Person.id == owner_id).values(mail_at_end=True))
    return owner_id


def waiting(backend: Backend) -> list[Mail]:
    with backend.database.read() as session:
        return list(session.scalars(select(Mail)))


def running(backend: Backend, owner_id: int, minutes: float) -> Run:
    """Return a run that is held by a worker and was started so long ago."""
    run = claimed(backend, make_run(backend, owner_id))
    with backend.database.write() as session:
        values = {"started_at": utcnow() - timedelta(minutes=minutes)}
        session.execute(update(Run).where(Run.id == run.id).values(values))
    return run


def test_whoever_wants_it_gets_one_mail_when_a_long_run_ends(backend: Backend, owner_id: int) -> None:
    run = running(backend, owner_id, minutes=125)
    assert lease.succeed(backend.database, run, "dish")
    assert not lease.succeed(backend.database, run, "dish")
    [mail] = waiting(backend)
    assert mail.subject == f"reverse_text #{run.id} succeeded after 2 h 5 min"
    sending = replace(backend, settings=backend.settings.model_copy(update=SETTINGS))
    message = mail_sender.message_of(sending, mail)
    assert f"https://dw.example/runs/{run.id}\n" in message.get_content()
    assert message["To"] == mail.recipient


def test_a_run_that_fails_is_told_of_too(backend: Backend, owner_id: int) -> None:
    lease.fail(backend.database, running(backend, owner_id, minutes=3), Failure("OvenError", "the oven is cold"))
    assert [mail.subject.partition(" ")[2].partition(" ")[2] for mail in waiting(backend)] == ["failed after 3 min"]


def test_nobody_is_told_of_short_or_cancelled_or_postponed_runs(backend: Backend, owner_id: int) -> None:
    lease.succeed(backend.database, running(backend, owner_id, minutes=0.9), "dish")
    stopped = running(backend, owner_id, minutes=3)
    lease.request_stop(backend.database, stopped.id, owner_id)
    lease.stop(backend.database, stopped)
    lease.postpone(backend.database, running(backend, owner_id, minutes=3), Failure("OvenError", "cold"), 60)
    lease.cancel(backend.database, make_run(backend, owner_id).id, owner_id)
    assert waiting(backend) == []


def test_who_does_not_want_mails_or_is_disabled_gets_none(backend: Backend, owner_id: int) -> None:
    lease.succeed(backend.database, running(backend, make_owner(backend, "other@example.com"), minutes=3), "dish")
    run = running(backend, owner_id, minutes=3)
    with backend.database.write() as session:
        session.execute(update(Person).where(Person.id == owner_id).values(is_active=False))
    assert lease.succeed(backend.database, run, "dish")
    assert waiting(backend) == []


def test_a_title_of_several_lines_makes_one_subject(backend: Backend, owner_id: int) -> None:
    record_task(backend.database, "reverse_text", TaskRecord("Reverse\r\nBcc: everybody@example.com " + "x" * 300, {}))
    lease.succeed(backend.database, running(backend, owner_id, minutes=3), "dish")
    [mail] = waiting(backend)
    assert "\n" not in mail.subject
    assert len(mail.subject) <= 200
    assert mail.subject.startswith("Reverse Bcc: everybody@example.com xxx")
    assert run_mails.text(backend.settings, mail).startswith(mail.subject)
