"""Send a mail by the server that MAIL_URL names, over SMTP."""

import contextlib
import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from email_validator import validate_email

from config import Settings
from jobs.runs import mails, run_mails
from jobs.runs.backend import Backend
from jobs.runs.mails import Mail
from jobs.storage.database import utcnow

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0  # of the server, at each step
SECONDS = 180.0  # of a claim: longer than all steps together
PORTS = {"smtp": 587, "smtps": 465}
FINAL_STATUS = 500
NO_SERVER = "MAIL_URL is not set"
UNREADABLE = "its text cannot be decrypted, because SECRET_KEY has changed since"
EXPIRED = "it is too old"


class Failure(Exception):
    """A mail was not sent; if this is final, another try would fail, too."""

    def __init__(self, problem: str, is_final: bool = False) -> None:
        super().__init__(problem)
        self.is_final = is_final


def send(backend: Backend, mail: Mail) -> None:
    """Send a mail that this sender has claimed, and note what has come of it.

    If that cannot be noted, the mail is sent again after the claim, with the same Message-ID.
    """
    try:
        failure = _failure_of(backend, mail)
        if failure is None:
            mails.remove(backend.database, mail)
        else:
            _failed(backend, mail, failure)
    except Exception:
        log.exception("could not record what came of mail %d; it is tried again", mail.id)


def _failure_of(backend: Backend, mail: Mail) -> Failure | None:
    """Hand a mail over to the server. Return why that failed, or None."""
    try:
        _deliver(backend.settings, message_of(backend, mail), _ascii_domain(mail.recipient))
    except Failure as failure:
        return failure
    except Exception:
        log.exception("could not send mail %d", mail.id)
        return Failure("an unexpected error")
    return None


def message_of(backend: Backend, mail: Mail) -> EmailMessage:
    """Return a mail as it is sent, the same at every try. Raises Failure."""
    if not backend.settings.mail_url:
        raise Failure(NO_SERVER)
    if mail.expires_at <= utcnow():
        raise Failure(EXPIRED, is_final=True)
    text = _text_of(backend, mail)
    if text is None:
        raise Failure(UNREADABLE, is_final=True)
    name, sender = parseaddr(backend.settings.mail_from)
    message = EmailMessage()
    message["From"] = formataddr((name or backend.settings.app_name, sender))
    message["To"] = _ascii_domain(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _text_of(backend: Backend, mail: Mail) -> str | None:
    if mail.run_id is not None:
        return run_mails.text(backend.settings, mail)
    return backend.vault.unseal_mail(mail.recipient, mail.encrypted_text)


def _failed(backend: Backend, mail: Mail, failure: Failure) -> None:
    if failure.is_final:
        mails.remove(backend.database, mail)
        log.warning("gave up mail %d: %s", mail.id, failure)
    elif mails.try_later(backend.database, mail):
        log.warning("mail %d was not sent and is tried again: %s", mail.id, failure)
    else:
        log.warning("gave up mail %d, which is too old to be tried again: %s", mail.id, failure)


def _ascii_domain(address: str) -> str:
    """Return an address with its domain as the domain name system has it."""
    found = validate_email(address, check_deliverability=False, globally_deliverable=False)
    return f"{found.local_part}@{found.ascii_domain}"


def _deliver(settings: Settings, message: EmailMessage, recipient: str) -> None:
    """Hand a message over to the server. Raises Failure."""
    try:
        server = _connected(settings)
        try:
            server.send_message(message, to_addrs=[recipient])
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):  # the server has the message, or the error
                server.quit()
            server.close()
    except smtplib.SMTPRecipientsRefused as error:
        _refused(*error.recipients[recipient])
    except smtplib.SMTPDataError as error:
        _refused(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:
        raise Failure(str(error), is_final=True) from None
    except (OSError, smtplib.SMTPException) as error:
        raise Failure(str(error) or type(error).__name__) from None


def _refused(status: int, words: bytes | str) -> NoReturn:
    said = words.decode(errors="replace") if isinstance(words, bytes) else words
    raise Failure(f"the server answered {status} {said}", is_final=status >= FINAL_STATUS) from None


def _connected(settings: Settings) -> smtplib.SMTP:
    """Connect to the server and sign in there.

    A password is only sent over TLS. Without one, TLS is used if the server offers it.
    """
    url = urlsplit(settings.mail_url)
    host, port, context = url.hostname or "", url.port or PORTS[url.scheme], ssl.create_default_context()
    server: smtplib.SMTP
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, port, timeout=ANSWER_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=ANSWER_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
        elif url.scheme == "smtp" and url.username:
            raise Failure("the server of MAIL_URL offers no TLS, so the password was not sent to it")
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
    except BaseException:
        server.close()
        raise
    return server
