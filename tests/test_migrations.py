"""Migrations: they lead to the tables that the code describes, and back, and lose nothing on the way."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, insert, inspect, select, text

from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.file_ownership import used_bytes
from jobs.runs.files import FileRow, RecordedFiles
from jobs.runs.vault import Vault
from jobs.storage.database import Database, utcnow
from jobs.storage.local_store import LocalStore
from tests.conftest import ROOT, database_of, mark_newer, settings_for
from tests.support import databases
from tests.support.stored_files import AN_HOUR, let_pass, objects_in
from webapp.server import migrations

KEY = "only for tests " * 3
# Two secrets of the first user, as they were encrypted one by one, and one of a key that nobody has any more.
TOKEN = (
    "gAAAAABrCZ-PRFYSYbhQ1IB5f9ZBQzZl6XacTtH7CwXrx6pYcY_s5QvYyUAw102Zl02JVs2Mj4KgXzWx6Zelf2yznU3MqpOIYjKUtcy_eJQnR3P6"
    "_u_tpnU="
)
OTHER = "gAAAAABrCZ-PvGRMqYTdGhH3LqXnbVS18iGSdO-506el5BqSaWyFOPOYCdUqeEA5GbaW6Rd4q7Vu9G04dMjXH4LBiq-bp9RTFQ=="
LOST = TOKEN.replace("rCZ", "sCZ")
HIDDEN = {"$sealed": "•••"}
ONE_BY_ONE, TOGETHER = "0008", "0009"
UNRECORDED = "0010"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = database_of(tmp_path)
    yield database
    database.close()


def alembic(database: Database) -> Config:
    return Config(ROOT / "alembic.ini", attributes={"database": database})


def test_migrations_and_models_agree_and_lead_back(database: Database) -> None:
    migrations.upgrade(database)
    command.check(alembic(database))
    command.downgrade(alembic(database), "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    migrations.upgrade(database)
    command.check(alembic(database))


def test_a_schema_is_known_to_be_current_as_alembic_knows_it(database: Database) -> None:
    assert migrations.heads() == set(ScriptDirectory.from_config(alembic(database)).get_heads())
    assert (migrations.is_current(database), migrations.newer(database)) == (False, None)
    command.upgrade(alembic(database), UNRECORDED)
    assert (migrations.is_current(database), migrations.newer(database)) == (False, None)
    migrations.upgrade(database)
    assert (migrations.is_current(database), migrations.newer(database)) == (True, None)
    mark_newer(database)
    assert not migrations.is_current(database)
    assert "(9999) is newer than this code" in str(migrations.newer(database))


BEFORE: list[dict[str, Any]] = [
    {"token": {"$sealed": TOKEN}, "count": 2, "logins": [{"user": "ada", "password": {"$sealed": OTHER}}]},
    {"text": "hello", "count": 1},
    {"names": {"$sealed": "a"}},
    {"token": {"$sealed": LOST}, "count": 2},
    {"token": {"$sealed": TOKEN}, "names": {"$sealed": "a"}},
]
SHOWN: list[dict[str, Any]] = [
    {"token": HIDDEN, "count": 2, "logins": [{"user": "ada", "password": HIDDEN}]},
    BEFORE[1],
    BEFORE[2],
    {"token": HIDDEN, "count": 2},
    {"token": HIDDEN, "names": {"$sealed": "a"}},
]
FIRST, SECOND = "correct-horse-battery", "sesame-open"
WHOLE = [
    ({"token": FIRST, "count": 2, "logins": [{"user": "ada", "password": SECOND}]}, [FIRST, SECOND]),
    None,
    None,
    "lost",
    ({"token": FIRST, "names": {"$sealed": "a"}}, [FIRST]),
]


def test_secrets_that_were_encrypted_one_by_one_are_encrypted_with_their_parameters_and_back(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path, secret_key=KEY, database_url=databases.url_of(tmp_path))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", "new" * 20)
    monkeypatch.setenv("SECRET_KEY_PREVIOUS", KEY)
    command.upgrade(alembic(database), ONE_BY_ONE)
    for number, parameters in enumerate(BEFORE * 50, 1):
        add_run(database, number, parameters)
    command.upgrade(alembic(database), TOGETHER)
    assert [row.parameters for row in runs(database)] == SHOWN * 50
    renewed = Vault(database, settings.model_copy(update={"secret_key": "new" * 20}))
    assert [opened(renewed, row.encrypted_parameters) for row in runs(database)] == WHOLE * 50
    command.downgrade(alembic(database), ONE_BY_ONE)
    for before, row in zip(BEFORE * 50, runs(database), strict=True):
        assert unsealed(renewed, row.parameters) == unsealed(Vault(database, settings), before)
        assert FIRST not in json.dumps(row.parameters)


def add_run(database: Database, run_id: int, parameters: dict[str, Any]) -> None:
    tables = MetaData()
    tables.reflect(database.engine, only=["runs"])
    now = utcnow()
    times = {"created_at": now, "queued_at": now}
    counts = {"version": 1, "attempt": 1, "failures": 0, "losses": 0}
    values = {"id": run_id, "owner_id": 1, "task": "fetch", "state": "queued", "progress_note": "", **times, **counts}
    with database.engine.begin() as connection:
        if run_id == 1:
            user = {"id": 1, "email": "ada@example.com", "password_hash": "", "session_version": 1}
            flags = {"is_admin": False, "is_active": True, "created_at": now}
            connection.execute(insert(tables.tables["users"]).values(**user, **flags))
        connection.execute(insert(tables.tables["runs"]).values(**values, parameters=parameters))


def runs(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        table = Table("runs", MetaData(), autoload_with=connection)
        return list(connection.execute(select(table).order_by(table.c.id)))


def opened(vault: Vault, encrypted: str | None) -> Any:
    return None if encrypted is None else vault.unseal_parameters(1, encrypted) or "lost"


def unsealed(vault: Vault, value: Any) -> Any:
    """Parameters with the secrets that were encrypted one by one in clear, and nothing in the place of lost ones."""
    if isinstance(value, dict) and list(value) == ["$sealed"] and len(value["$sealed"]) > 1:
        return vault.unseal(1, value["$sealed"])
    if isinstance(value, dict):
        return {name: unsealed(vault, part) for name, part in value.items()}
    return [unsealed(vault, part) for part in value] if isinstance(value, list) else value


OLD, SENT = ("a1" * 32, 11), ("b2" * 32, 22)


def test_files_that_were_stored_before_they_were_recorded_are_kept_and_can_be_deleted(
    tmp_path: Path, database: Database
) -> None:
    command.upgrade(alembic(database), UNRECORDED)
    for run_id in (1, 2):
        add_run(database, run_id, {})
        add_file(database, "run_files", OLD, run_id=run_id)
    add_file(database, "uploads", SENT, owner_id=1, created_at=utcnow())
    for sha256, _size in (OLD, SENT):
        path = tmp_path / "files" / sha256[:2] / sha256
        path.parent.mkdir(parents=True)
        path.write_text(sha256)
    command.upgrade(alembic(database), "head")
    objects = LocalStore(tmp_path / "files")
    with database.read() as session:
        rows = session.scalars(select(FileRow).order_by(FileRow.sha256)).all()
        assert [(row.sha256, row.size) for row in rows] == [OLD, SENT]
        assert all(row.put_at > utcnow() - timedelta(minutes=5) for row in rows)
        assert used_bytes(session, owner_id=1) == OLD[1] + SENT[1]
    let_pass(database, AN_HOUR)
    FileCleanup(database, objects).sweep()
    files = RecordedFiles(objects, database)
    assert [files.open(sha256).read().decode() for sha256, _size in (OLD, SENT)] == [OLD[0], SENT[0]]
    with database.write() as session:
        session.execute(text("DELETE FROM uploads"))
    FileCleanup(database, objects).sweep()
    assert [path.name for path in objects_in(tmp_path / "files")] == [OLD[0]]


def add_file(database: Database, table: str, file: tuple[str, int], **values: Any) -> None:
    sha256, size = file
    named = {"sha256": sha256, "size": size, "name": "a.txt", "media_type": "text/plain"}
    with database.engine.begin() as connection:
        connection.execute(insert(Table(table, MetaData(), autoload_with=connection)).values(**named, **values))
