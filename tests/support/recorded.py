"""The statements that an application executes, each with the database's plan for it and the work that it took."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

from jobs.storage.database import Database

EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
STEPS_AT_ONCE = 100
FEW_ROWS = 5000
PAGES_PER_ROW = 4  # found by its key
PAGES_PER_NEW_ROW = 30  # with its entries in all indexes
ENTRIES_PER_PAGE = 100


class Recorded:
    """For each statement, by its text: the whole tables that it read, and the most work that it took at once.

    On SQLite, work is counted in instructions of its virtual machine, on Postgres in rows that a plan looked at and in
    index entries that it passed over. Postgres does not count these; they are estimated from the pages that it read.
    """

    def __init__(self) -> None:
        self.scans: dict[str, set[str]] = {}
        self.work: dict[str, int] = {}
        self._now, self._steps = "", 0

    def plan_in_sqlite(self, connection: Connection, statement: str, parameters: Any) -> None:
        """Note a statement's plan, and count its steps until the next one begins."""
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(None, 0)
        plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        self._note(statement, {name for line in plan for name in re.findall(r"^SCAN (\w+)", line)}, 0)
        self._now, self._steps = statement, 0
        driver.set_progress_handler(self._count, STEPS_AT_ONCE)

    def _count(self) -> int:
        self._steps += STEPS_AT_ONCE
        self._note(self._now, set(), self._steps)
        return 0

    def plan_in_postgres(self, connection: Connection, statement: str, parameters: Any) -> None:
        """Note a statement's plan and rows, by executing it twice more and undoing that."""
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            # Twice: whoever fills a page of an index clears it of dead entries, once, and reads tens of pages for it.
            measured = [_measured(cursor, statement, parameters) for _ in range(2)]
            nodes, work = min(measured, key=lambda one: one[1])
            # A table with few rows is always read as a whole. This shows whether there is an index once it has many.
            cursor.execute("SET LOCAL enable_seqscan = off")
            later = list(_nodes(_plan(cursor, f"EXPLAIN (FORMAT JSON) {statement}", parameters)))
            cursor.execute("SET LOCAL enable_seqscan = on")
        scans = [node for node in nodes if node["Node Type"] == "Seq Scan" and _rows(node) > FEW_ROWS]
        scans += [node for node in later if node["Node Type"] == "Seq Scan"]
        self._note(statement, {node["Relation Name"] for node in scans}, work)

    def _note(self, statement: str, scans: set[str], work: int) -> None:
        self.scans.setdefault(statement, set()).update(scans)
        self.work[statement] = max(work, self.work.get(statement, 0))


@contextmanager
def recorded(database: Database) -> Iterator[Recorded]:
    """Record what is executed on a database while the block lasts."""
    found, engine = Recorded(), database.engine
    plan = found.plan_in_sqlite if engine.dialect.name == "sqlite" else found.plan_in_postgres

    def before(connection: Connection, _cursor: Any, statement: str, parameters: Any, _: Any, many: bool) -> None:
        if connection.engine.url == engine.url and statement.lstrip().upper().startswith(EXPLAINED):
            plan(connection, statement, parameters[0] if many else parameters)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", before)


def _measured(cursor: Any, statement: str, parameters: Any) -> tuple[list[dict[str, Any]], int]:
    """Execute a statement, undo it, and return the nodes of its plan and its work."""
    cursor.execute("SAVEPOINT explained")
    plan = _plan(cursor, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
    cursor.execute("ROLLBACK TO SAVEPOINT explained")
    nodes = list(_nodes(plan))
    rows = sum(map(_rows, nodes))
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] - PAGES_PER_ROW * rows - PAGES_PER_NEW_ROW
    return nodes, rows + ENTRIES_PER_PAGE * max(0, pages)


def _plan(cursor: Any, statement: str, parameters: Any) -> dict[str, Any]:
    cursor.execute(statement, parameters)
    ((found,),) = cursor.fetchall()
    plan: dict[str, Any] = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _rows(node: dict[str, Any]) -> int:
    """Return how many rows of a table or an index a node has looked at."""
    if "Relation Name" not in node and "Index Name" not in node:
        return 0
    removed = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])
