"""Mails: sent once by a real server, tried again while they mean something, and forgotten."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from jobs.runs import delete_person, mails
from jobs.runs.backend import Backend
from jobs.runs.mails import Letter, Mail
from jobs.storage.database import utcnow
from jobs.worker import mail_sender, sender
from jobs.worker.sweeper import Sweeper
from jobs.worker.wakeup_pipe import WakeupPipe
from tests.support.mailbox import ESCAPED, PASSWORD, Mailbox, StartTlsMailbox, TlsMailbox
from tests.support.people import make_owner, with_key
from tests.support.tls import Authority

SECRET = "https://dw.example/reset?link=a-secret"
LETTER = Letter("ada@example.com", "Set a new password", f"Open this:\n\n{SECRET}\n", timedelta(hours=1))


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as one:
        yield one


@pytest.fixture(autouse=True)
def _empty(mailbox: Mailbox) -> None:
    mailbox.messages.clear()
    mailbox.tries = 0
    mailbox.to_recipient = mailbox.to_message = "250 OK"


def sending_by(backend: Backend, url: str, **values: object) -> Backend:
    settings = {"mail_url": url, "mail_from": "dw@example.org", **values}
    return replace(backend, settings=backend.settings.model_copy(update=settings))


def put(backend: Backend, letter: Letter = LETTER) -> None:
    with backend.database.write() as session:
        mails.put(session, backend.vault, letter)


def waiting(backend: Backend) -> list[Mail]:
    with backend.database.read() as session:
        return list(session.scalars(select(Mail)))


def send(backend: Backend) -> None:
    """Send what is due now, as the process does that the supervisor starts."""
    sender.send_all(backend, WakeupPipe(), lambda: mails.are_due(backend.database))


def make_due(backend: Backend) -> None:
    with backend.database.write() as session:
        session.execute(update(Mail).values(due_at=utcnow()))


def test_a_mail_is_encrypted_until_it_is_sent_and_then_gone(backend: Backend, mailbox: Mailbox) -> None:
    sending = sending_by(backend, mailbox.url)
    put(sending)
    with backend.database.read() as session:
        rows = session.execute(text("SELECT * FROM mails")).all()
    assert "a-secret" not in str(rows)
    sweeper = Sweeper(sending)
    sweeper.sweep()
    assert sweeper.has_to_send
    send(sending)
    message = mailbox.last()
    assert (message["To"], message["From"], message["Subject"]) == (
        "ada@example.com",
        "Dumbwaiter <dw@example.org>",
        "Set a new password",
    )
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert SECRET in message.get_content()
    assert waiting(backend) == []
    sweeper.sweep()
    assert not sweeper.has_to_send


def test_a_mail_in_other_letters_arrives_as_it_was_written(backend: Backend, mailbox: Mailbox) -> None:
    sending = sending_by(backend, mailbox.url, app_name="Küche")
    put(sending, replace(LETTER, recipient="ada@bücher.example", subject="Schlüssel", text="Grüße\n"))
    send(sending)
    message = mailbox.last()
    assert (message["To"], message["Subject"]) == ("ada@xn--bcher-kva.example", "Schlüssel")
    assert message["From"] == "Küche <dw@example.org>"
    assert message.get_content().strip() == "Grüße"


def test_a_mail_that_fails_is_tried_again_with_one_id_while_it_means_something(
    backend: Backend, mailbox: Mailbox
) -> None:
    with Mailbox() as closed:
        nowhere = closed.url
    away, there = sending_by(backend, nowhere), sending_by(backend, mailbox.url)
    put(there)
    send(away)
    [mail] = waiting(backend)
    assert mail.tries == 1
    assert mail.due_at > utcnow()
    make_due(backend)
    mailbox.to_message = "451 later"
    send(there)
    assert [one.tries for one in waiting(backend)] == [2]
    make_due(backend)
    mailbox.to_message = "250 OK"
    send(there)
    assert mailbox.last()["Message-ID"] == f"<{mail.message_id}@example.org>"
    assert waiting(backend) == []
    put(there, replace(LETTER, lifetime=timedelta(seconds=1)))
    send(away)
    assert waiting(backend) == [], "the next try would be too late"
    put(there, replace(LETTER, lifetime=timedelta(seconds=-1)))
    send(there)
    assert waiting(backend) == []
    assert len(mailbox.messages) == 1


def test_a_mail_that_can_never_be_sent_is_given_up(backend: Backend, mailbox: Mailbox) -> None:
    sending = sending_by(backend, mailbox.url)
    mailbox.to_recipient = "550 no such mailbox"
    put(sending)
    send(sending)
    mailbox.to_recipient, mailbox.to_message = "250 OK", "554 refused"
    put(sending)
    send(sending)
    put(replace(sending, vault=with_key(backend, "another key " * 4)))
    send(sending)
    assert (mailbox.tries, mailbox.messages, waiting(backend)) == (2, [], [])


def test_a_mail_waits_while_no_server_is_set(backend: Backend) -> None:
    put(backend)
    send(backend)
    assert [mail.tries for mail in waiting(backend)] == [1]


def test_a_claimed_mail_is_sent_again_after_the_claim(backend: Backend) -> None:
    put(backend)
    assert mails.claim(backend.database, 60)
    assert mails.claim(backend.database, 60) is None
    make_due(backend)
    assert mails.claim(backend.database, 60)


def test_a_mail_goes_with_the_account_it_is_about(backend: Backend) -> None:
    owner_id = make_owner(backend)
    put(backend, replace(LETTER, owner_id=owner_id))
    delete_person(backend, owner_id)
    assert waiting(backend) == []


def test_a_password_is_only_sent_over_tls(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox
) -> None:
    authority = Authority(tmp_path)
    context = authority.context_for("localhost")
    for server, scheme in ((TlsMailbox(context), "smtps"), (StartTlsMailbox(context), "smtp")):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        with server:
            sending = sending_by(backend, f"{scheme}://{ESCAPED}@localhost:{server.port}")
            put(sending)
            send(sending)
            assert (server.signed_in, len(server.messages)) == ([PASSWORD], 1)
            monkeypatch.delenv("SSL_CERT_FILE")
            put(sending)
            send(sending)
            assert (server.signed_in, len(server.messages)) == ([PASSWORD], 1), "a certificate nobody vouches for"
            assert len(waiting(backend)) == 1
            backend.database.close()
            for mail in waiting(backend):
                mails.remove(backend.database, mail)
    put(backend)
    with pytest.raises(mail_sender.Failure, match="offers no TLS"):
        mail_sender._connected(sending_by(backend, f"smtp://{ESCAPED}@127.0.0.1:{mailbox.port}").settings)
