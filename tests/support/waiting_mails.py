"""Waiting mails, as their recipients would read them."""

import re
from dataclasses import replace

from flask import Flask
from sqlalchemy import select

from jobs.runs.backend import Backend
from jobs.runs.mails import Mail
from tests.webapp.conftest import CompiledTemplates
from webapp import create_app
from webapp.accounts import constant_time

MAILING = {"mail_url": "smtp://127.0.0.1:1", "mail_from": "dw@example.org", "public_url": "http://localhost"}


def mailing(backend: Backend, **values: object) -> Flask:
    """Return the application of a site that sends mail."""
    constant_time.ANSWER_SECONDS = 0.0  # or each of many tests would take as long as a stranger's request
    settings = backend.settings.model_copy(update={**MAILING, **values})
    app = create_app(replace(backend, settings=settings))
    app.jinja_env.bytecode_cache = CompiledTemplates()
    return app


def mailed(backend: Backend) -> list[tuple[str, str, str]]:
    """Return recipient, subject and text of each mail that waits, in their order."""
    with backend.database.read() as session:
        found = session.scalars(select(Mail).order_by(Mail.id)).all()
    return [
        (mail.recipient, mail.subject, backend.vault.unseal_mail(mail.recipient, mail.encrypted_text) or "")
        for mail in found
    ]


def link_in(text: str) -> str:
    """Return the path and query of the link in a mail."""
    [link] = re.findall(r"^http://localhost(\S+)$", text, re.MULTILINE)
    return str(link)
