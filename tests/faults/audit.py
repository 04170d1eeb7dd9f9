"""Every change of a run's state, written down by the database itself, so that a second completion would be seen."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import text

from jobs.runs.run import State
from jobs.storage.database import Database

TABLE = """
CREATE TABLE state_changes (
    id {serial}, run_id INTEGER NOT NULL, before VARCHAR(16) NOT NULL, after VARCHAR(16) NOT NULL,
    attempt INTEGER NOT NULL, worker VARCHAR(100)
)
"""
WRITE = """
INSERT INTO state_changes (run_id, before, after, attempt, worker)
VALUES (NEW.id, OLD.state, NEW.state, NEW.attempt, NEW.worker);
"""
# "OF state" is every statement that sets a state, the one that it has already included.
SQLITE = [
    TABLE.format(serial="INTEGER PRIMARY KEY AUTOINCREMENT"),
    f"CREATE TRIGGER audit_runs AFTER UPDATE OF state ON runs BEGIN {WRITE} END",
]
POSTGRES = [
    TABLE.format(serial="SERIAL PRIMARY KEY"),
    f"CREATE FUNCTION audit_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {WRITE} RETURN NULL; END $$",
    "CREATE TRIGGER audit_runs AFTER UPDATE OF state ON runs FOR EACH ROW EXECUTE FUNCTION audit_run()",
]


class Entry(NamedTuple):
    """One change: of which run, from and to which state, at which attempt, and by which worker it was held."""

    run_id: int
    before: State
    after: State
    attempt: int
    worker: str | None


def begin_audit(database: Database) -> None:
    """Record every change of state from now on."""
    with database.write() as session:
        for statement in SQLITE if database.engine.dialect.name == "sqlite" else POSTGRES:
            session.connection().exec_driver_sql(statement)


def entries(database: Database) -> list[Entry]:
    """Return the recorded changes in order."""
    with database.read() as session:
        rows = session.execute(
            text("SELECT run_id, before, after, attempt, worker FROM state_changes ORDER BY id")
        ).all()
    return [
        Entry(run_id, State(before), State(after), attempt, worker) for run_id, before, after, attempt, worker in rows
    ]


def completions(database: Database) -> Counter[int]:
    """Count how often each run ended."""
    return Counter(entry.run_id for entry in entries(database) if entry.after.ended)


def claims(database: Database) -> Counter[int]:
    """Count how often each run was claimed."""
    return Counter(entry.run_id for entry in entries(database) if entry.after is State.RUNNING)
