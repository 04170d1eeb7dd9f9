"""Results as programs get them: tables with the types of their columns, and what the Python client makes of both."""

from datetime import UTC, date, datetime
from decimal import Decimal

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.support.people import claimed
from tests.support.program import Program
from webapp.api import client


def test_a_table_has_the_types_of_its_columns(program: Program, backend: Backend) -> None:
    run_id = program.submit("reverse_text", text="x")["id"]
    table = {"columns": ["day", "n", "dish"], "rows": [["2026-01-02", 1, "soup"]], "types": {"day": "date"}}
    lease.succeed(backend.database, claimed(backend, Run(id=run_id)), [{"$table": table}])
    [shown] = program.get(f"/runs/{run_id}/result").get_json()
    assert shown == {"$table": {**table, "types": ["date", "integer", "string"]}}


def test_what_only_looks_like_a_file_never_gets_the_token_of_the_client() -> None:
    dw = client.Dumbwaiter("http://127.0.0.1:1/dw", "dw_secret")
    own = {
        "name": "a.txt",
        "size": 1,
        "media_type": "text/plain",
        "sha256": "0" * 64,
        "url": "/dw/api/v1/runs/7/files/0",
    }
    assert isinstance(dw._value({"$file": own}), client.RemoteFile)
    for url in ("https://example.com/api/v1/runs/7", "//example.com/x", "/dw/tasks", "/api/v1/runs/7", None):
        assert dw._value({"$file": {**own, "url": url}}) == {"$file": {**own, "url": url}}


def test_the_client_reads_tables_as_python_has_them() -> None:
    dw = client.Dumbwaiter("http://127.0.0.1:1", "dw_secret")
    columns, types = ["day", "at", "price", "n"], ["date", "date-time", "decimal", "integer"]
    rows = [["2026-01-02", "2026-01-02T03:04:05Z", "1.10", 7], [None, "12026-01-02T00:00:00", None, None]]
    first, second = dw._value({"$table": {"columns": columns, "types": types, "rows": rows}})
    assert first == {
        "day": date(2026, 1, 2),
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "price": Decimal("1.10"),
        "n": 7,
    }
    assert second == {"day": None, "at": "12026-01-02T00:00:00", "price": None, "n": None}
