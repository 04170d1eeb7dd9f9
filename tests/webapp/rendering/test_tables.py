"""Results that are tables: sorted and paged on the server, and as CSV that does nothing of itself."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from bs4 import Tag

from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.values.json_value import json_value
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.rendering.numbers import format_of
from webapp.rendering.tables import MOST_COLUMNS, ROWS_PER_PAGE, Table, table_in

PEOPLE = [
    {"name": "Grace", "age": 85, "note": "=1+1"},
    {"name": "alan", "age": 41},
    {"name": "Ada", "age": 36.5, "note": None},
]


def shown(backend: Backend, visitor: Visitor, result: Any) -> Run:
    return make_run(backend, owner_id(backend, visitor.email), state=State.SUCCEEDED, result=result)


def column(page: Tag, number: int) -> list[str]:
    return [cell.text for cell in page.select(f".table td:nth-child({number})")]


def test_a_list_of_dicts_is_a_table_with_every_column_and_gaps(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, PEOPLE)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert [head.text.strip() for head in page.select(".table th")] == ["name", "age", "note"]
    assert (column(page, 1), column(page, 3)) == (["Grace", "alan", "Ada"], ["=1+1", "", ""])
    assert "3 rows: name, age, note" in the(soup(ada.get("/runs")), ".run__result").text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Grace", "alan", "Ada"]),
        ("?by=0", ["Ada", "alan", "Grace"]),
        ("?by=0&order=desc", ["Grace", "alan", "Ada"]),
        ("?by=1", ["Ada", "alan", "Grace"]),
        ("?by=2&order=desc", ["Grace", "alan", "Ada"]),
        ("?by=99&order=%00&page=-1", ["Grace", "alan", "Ada"]),
        ("?by=²&page=9999999999999999999", ["Grace", "alan", "Ada"]),
    ],
)
def test_its_page_has_the_rows_in_the_order_asked_for(
    ada: Visitor, backend: Backend, query: str, names: list[str]
) -> None:
    page = soup(ada.get(f"/runs/{shown(backend, ada, PEOPLE).id}/table{query}"))
    assert column(page, 1) == names


def test_the_heading_of_a_column_sorts_by_it_and_then_the_other_way(ada: Visitor, backend: Backend) -> None:
    page = soup(ada.get(f"/runs/{shown(backend, ada, PEOPLE).id}/table"))
    assert page.select("[aria-sort]") == []
    for direction, names in (("ascending", ["Ada", "alan", "Grace"]), ("descending", ["Grace", "alan", "Ada"])):
        page = soup(ada.get(str(the(page, "th:first-child a")["href"])))
        assert (the(page, "th:first-child")["aria-sort"], column(page, 1)) == (direction, names)


def test_a_long_table_comes_in_pages_that_keep_its_order(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, [{"n": (number * 7) % 240} for number in range(240)])
    assert len(column(soup(ada.get(f"/runs/{run.id}")), 1)) == ROWS_PER_PAGE
    page, seen = soup(ada.get(f"/runs/{run.id}/table?by=0&order=desc")), []
    while True:
        seen += column(page, 1)
        following = page.select_one("a[rel=next]")
        if following is None or not following.has_attr("href"):
            break
        page = soup(ada.get(str(following["href"])))
    assert seen == [str(number) for number in range(239, -1, -1)]
    assert len(column(page, 1)) == 240 % ROWS_PER_PAGE


def test_values_of_all_kinds_can_be_sorted(ada: Visitor, backend: Backend) -> None:
    values: list[Any] = [True, None, "b", 2, {"x": 1}, [1], -1.5, "A", "NaN", ""]
    run = shown(backend, ada, [{"value": value} for value in values])
    assert column(soup(ada.get(f"/runs/{run.id}/table?by=0")), 1)[0] == "-1.5"


def test_of_very_many_columns_the_first_are_shown_and_the_csv_has_all(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, [{f"c{number}": number for number in range(3000)}])
    page = soup(ada.get(f"/runs/{run.id}/table"))
    assert len(page.select("th")) == MOST_COLUMNS
    assert f"The first {MOST_COLUMNS} of 3000 columns" in the(page, "#main").text
    assert len(ada.get(f"/runs/{run.id}/table.csv").text.splitlines()[0].split(",")) == 3000


def test_the_csv_has_everything_and_no_formula(ada: Visitor, backend: Backend) -> None:
    rows = [
        {"=x": text} for text in ("=1+1", "+a", "-1+1", "@a", "\t=1", "\r=1", 'a "quoted", b', "two\nlines", "plain")
    ]
    run = shown(backend, ada, [*rows, {"=x": -5}, {"=x": 2.5}, {"=x": True}, {"=x": [1, "a"]}, {"=x": None}])
    response = ada.get(f"/runs/{run.id}/table.csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == f"attachment; filename=reverse_text-{run.id}.csv"
    read = [row[0] for row in csv.reader(io.StringIO(response.data.decode("utf-8-sig"), newline=""))]
    assert read[:7] == ["'=x", "'=1+1", "'+a", "'-1+1", "'@a", "'\t=1", "'\r=1"]
    assert read[7:] == ['a "quoted", b', "two\nlines", "plain", "-5", "2.5", "true", '[1, "a"]', ""]


def test_what_a_spreadsheet_may_read_as_a_formula_is_none_in_the_csv() -> None:
    texts = ["  =1+1", "\uff1d1+1", "\uff0bA1", "\uff0dA1", "\uff20A1", "\n=1", "-1\n=1", "-1e5", "--1"]
    read = [row[0] for row in csv.reader(io.StringIO(Table([{"x": text} for text in texts]).csv(), newline=""))]
    assert read == ["x", *(f"'{text}" for text in texts)]


def test_no_program_sees_more_cells_in_the_csv_than_there_are() -> None:
    table = Table([{"a;=b": "x;=cmd|' /C calc'!A0", "c": "x\t=1"}, {"a;=b": "x|=1", "c": None}])
    assert table.csv() == '"a;=b",c\r\n"x;=cmd|\' /C calc\'!A0","x\t=1"\r\n"x|=1",\r\n'


def test_decimals_are_numbers_to_sort_by_and_in_the_csv(ada: Visitor, backend: Backend) -> None:
    amounts = json_value([{"amount": Decimal(text)} for text in ("9.50", "-1.50", "10.25", "-20")])
    run = shown(backend, ada, amounts)
    ordered = ["-20", "-1.50", "9.50", "10.25"]
    assert column(soup(ada.get(f"/runs/{run.id}/table?by=0")), 1) == ordered
    assert ada.get(f"/runs/{run.id}/table.csv").text.split()[1:] == ["9.50", "-1.50", "10.25", "-20"]


def test_it_is_its_owners_only_and_only_where_there_is_one(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    run, text = shown(backend, ada, PEOPLE), shown(backend, ada, "no table")
    for path in ("table", "table.csv"):
        assert ben.get(f"/runs/{run.id}/{path}").status_code == 404
        assert ada.get(f"/runs/{text.id}/{path}").status_code == 404


@pytest.mark.parametrize("value", [[], [{}], [{"a": 1}, 2], {"a": 1}, "a", [[1]], [{"$markdown": "a"}], None])
def test_only_a_list_of_dicts_becomes_a_table(value: object) -> None:
    assert table_in(value) is None


def test_the_rows_with_some_words_are_found_in_whatever_order(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, [*PEOPLE, {"name": "Özgür", "note": ["a LAN"]}])
    for query, names in {
        "?q=%20lan": ["alan", "Özgür"],
        "?q=LAN&by=0&order=desc": ["Özgür", "alan"],
        "?q=85": ["Grace"],
    }.items():
        assert column(soup(ada.get(f"/runs/{run.id}/table{query}")), 1) == names
    page = soup(ada.get(f"/runs/{run.id}/table?q=nowhere"))
    assert "4 rows, none with “nowhere”" in the(page, ".table__size").text


def test_htmx_gets_only_the_table_and_everything_that_leads_on_keeps_the_search(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, {"a": [{"n": number} for number in range(60)]})
    page = soup(ada.get(f"/runs/{run.id}/table?part=0&q=1&by=0&page=1", headers={"HX-Request": "true"}))
    assert [one["id"] for one in page.find_all(recursive=False)] == [f"table-{run.id}-0"]
    links = [str(one["href"]) for one in page.select("th a, nav a[href]")]
    assert links == [f"/runs/{run.id}/table?by=0&order=desc&q=1&part=0"]
    hidden = {one["name"]: one["value"] for one in page.select("form [type=hidden]")}
    assert hidden == {"part": "0", "by": "0"}


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([36.5, 85, 41], "36.5 85.0 41.0"),
        ([2024, 7, 10**30], f"2024 7 {10**30}"),
        ([1.0, 2.0], "1 2"),
        ([1 / 3, 22.75, 0.0], "0.3333 22.7500 0.0000"),
        ([1234567.891, 0.1], "1234567.89 0.10"),
        ([0.00012345678, 0.001], "0.00012346 0.00100000"),
        ([1e-9, 5.5], "1e-09 5.5"),
        ([1e20, 0.5], "1e+20 0.5"),
        ([-0.0, 1.5, -0.04], "0.00 1.50 -0.04"),
    ],
)
def test_the_numbers_of_a_column_are_written_alike(values: list[float], written: str) -> None:
    assert " ".join(map(format_of(values), values)) == written
