"""Migrations: they lead to the tables that the code describes, and back."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import inspect

from tests.conftest import ROOT, database_of, migrate


def test_migrations_and_models_agree_and_lead_back(tmp_path: Path) -> None:
    database = database_of(tmp_path)
    alembic = Config(ROOT / "alembic.ini", attributes={"database": database})
    migrate(database)
    command.check(alembic)
    command.downgrade(alembic, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    migrate(database)
    command.check(alembic)
    database.close()
