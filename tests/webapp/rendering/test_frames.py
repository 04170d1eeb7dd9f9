"""Data frames on pages: tables like any other, also without rows."""

import polars as pl

from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.values.json_value import json_value
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the


def test_a_data_frame_is_shown_as_a_table_with_pages_and_csv(ada: Visitor, backend: Backend) -> None:
    frame = pl.DataFrame({"b": [3, 1, None], "a": ["x", "=1", None]})
    run = make_run(backend, owner_id(backend, ada.email), state=State.SUCCEEDED, result=json_value([frame, "text"]))
    page = soup(ada.get(f"/runs/{run.id}"))
    assert [one.text.strip() for one in page.select(".table th")] == ["b", "a"]
    assert [one.text for one in page.select(".table td")] == ["3", "x", "1", "=1", "", ""]
    assert ada.get(f"/runs/{run.id}/table.csv?part=0").data.decode("utf-8-sig").splitlines() == [
        "b,a",
        "3,x",
        "1,'=1",
        ",",
    ]
    assert "3 rows: b, a" in the(soup(ada.get("/runs")), ".run__result").text


def test_a_frame_without_rows_is_shown_with_its_columns(ada: Visitor, backend: Backend) -> None:
    frame = json_value(pl.DataFrame({"a": [], "b": []}))
    run = make_run(backend, owner_id(backend, ada.email), state=State.SUCCEEDED, result=frame)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert [one.text.strip() for one in page.select(".table th")] == ["a", "b"]
    assert ada.get(f"/runs/{run.id}/table").status_code == 200
