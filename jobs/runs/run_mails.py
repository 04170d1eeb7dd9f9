"""Mails that a run has ended, for people who want them: each is a row, committed with the end of its run.

A run that took less than LONGER_THAN has ended before anybody looks elsewhere, and who cancels one knows of it. The
text has no secret and is made when the mail is sent, as a transaction that ends a run has no key at hand.
"""

import secrets
from datetime import timedelta
from typing import cast

from sqlalchemy import Connection, Table, bindparam, exists, func, insert, literal_column, select

from config import Settings
from jobs.runs.mails import Mail
from jobs.runs.people import Person
from jobs.runs.run import Run, State
from jobs.runs.task_records import TaskRow
from jobs.storage.database import utcnow

LONGER_THAN = timedelta(minutes=1)
LIFETIME = timedelta(hours=24)
LONGEST_TITLE = 120

RUNS, PERSONS, TASKS, MAILS = (cast(Table, model.__table__) for model in (Run, Person, TaskRow, Mail))
R, P = RUNS.c, PERSONS.c

IS_WANTED = exists().where(P.id == literal_column("runs.owner_id", R.owner_id.type), P.mail_at_end)
# An account that is being deleted gets no mail. Waiting for its lock could be a deadlock.
WANTED = (
    select(P.id, P.email, R.state, R.started_at, R.ended_at, func.coalesce(TASKS.c.title, R.task))
    .join_from(RUNS, PERSONS, P.id == R.owner_id)
    .outerjoin(TASKS, TASKS.c.name == R.task)
    .where(R.id == bindparam("run"), P.mail_at_end, P.is_active, R.state.in_((State.SUCCEEDED, State.FAILED)))
    .with_for_update(read=True, key_share=True, skip_locked=True, of=PERSONS)
)
NOTE = insert(MAILS)

TEXT = """\
{subject}.

{run}

You get a mail when a run of more than a minute has ended. To change that, open
{account}
"""


def note(connection: Connection, run_id: int) -> None:
    """Note the mail about a run that this transaction ends, if its owner wants one and it took long enough."""
    found = connection.execute(WANTED, {"run": run_id}).first()
    if found is None:
        return
    owner_id, email, state, started_at, ended_at, title = found
    if started_at is None or ended_at - started_at < LONGER_THAN:
        return
    now, name = utcnow(), " ".join(title.split())[:LONGEST_TITLE]
    values = {
        "owner_id": owner_id,
        "run_id": run_id,
        "message_id": secrets.token_hex(16),
        "recipient": email,
        "subject": f"{name} #{run_id} {state.value} after {_in_words(ended_at - started_at)}",
        "encrypted_text": "",
        "created_at": now,
        "expires_at": now + LIFETIME,
        "due_at": now,
        "tries": 0,
    }
    connection.execute(NOTE, values)


def text(settings: Settings, mail: Mail) -> str:
    """Return the text of a mail about a run, the same at every try."""
    site = f"{settings.public_url or f'http://{settings.host}:{settings.port}'}{settings.url_prefix}"
    links = {"run": f"{site}/runs/{mail.run_id}", "account": f"{site}/account#preferences"}
    return TEXT.format(subject=mail.subject, **links)


def _in_words(duration: timedelta) -> str:
    minutes = round(duration / timedelta(minutes=1))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
