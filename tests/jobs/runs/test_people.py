"""Rows that belong to users need an owner, and are deleted with the owner's account."""

import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from jobs.runs.backend import Backend
from jobs.runs.people import Person
from jobs.runs.run import Run
from jobs.runs.uploads import Upload
from jobs.runs.vault import SecretRow
from tests.conftest import ROOT
from tests.support.people import make_owner

OWNED: dict[type[Any], dict[str, Any]] = {
    Run: {"task": "reverse_text", "parameters": {}},
    Upload: {"sha256": "0" * 64, "size": 1, "name": "a.txt", "media_type": "text/plain"},
    SecretRow: {"name": "API_TOKEN", "encrypted": "x"},
}


def add(backend: Backend, kind: type[Any], owner_id: int) -> None:
    with backend.database.write() as session:
        session.add(kind(owner_id=owner_id, **OWNED[kind]))


@pytest.mark.parametrize("kind", OWNED)
def test_what_people_own_goes_with_their_account(backend: Backend, kind: type[Any]) -> None:
    ada, ben = make_owner(backend), make_owner(backend, "ben@example.com")
    for owner_id in (ada, ben):
        add(backend, kind, owner_id)
    with backend.database.write() as session:
        session.execute(delete(Person).where(Person.id == ada))
    with backend.database.read() as session:
        assert session.scalars(select(kind.owner_id)).all() == [ben]


@pytest.mark.parametrize("kind", OWNED)
def test_nothing_is_owned_by_nobody(backend: Backend, kind: type[Any]) -> None:
    with pytest.raises(IntegrityError):
        add(backend, kind, make_owner(backend) + 1)


def test_the_tables_of_jobs_need_none_of_the_web_application() -> None:
    program = (
        "import jobs.__main__; from jobs.storage import Base;"
        "names = [table.name for table in Base.metadata.sorted_tables];"
        "print(names.index('users') < names.index('runs'))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
