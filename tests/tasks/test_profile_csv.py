import itertools
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from jobs import Chart, File, FinalFailure, Markdown, Progress, StopRun
from jobs.tasks.profile_csv import MOST_CHARTS, profile_csv

ROWS = "id,price,city,day,note\n" + "".join(
    f"{n},{n / 4 if n % 5 else ''},{'Oslo' if n % 3 else 'Rome'},2026-{1 + n % 12:02d}-01,note {n}\n"
    for n in range(1000)
)


def profile(folder: Path, content: str | bytes, **options: Any) -> tuple[str, list[dict[str, Any]], list[Chart]]:
    path = folder / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    summary, columns, *charts = profile_csv(File.at(path), **options, workspace=folder, progress=Progress())
    assert isinstance(summary, Markdown)
    return summary.text, columns, charts


def test_each_column_has_its_type_its_gaps_and_its_typical_values(tmp_path: Path) -> None:
    summary, columns, _charts = profile(tmp_path, ROWS)
    assert "1,000 rows, 5 columns" in summary
    by_name = {column["column"]: column for column in columns}
    assert [column["type"] for column in columns] == ["whole number", "number", "text", "date", "text"]
    assert [column["missing %"] for column in columns] == [0, 20, 0, 0, 0]
    assert (by_name["id"]["least"], by_name["id"]["greatest"], by_name["id"]["mean"]) == (0, 999, 499.5)
    assert (by_name["city"]["least"], by_name["city"]["greatest"]) == ("Oslo", "Rome")
    assert by_name["city"]["distinct"] == 2


def test_numbers_dates_and_texts_are_drawn_and_what_never_repeats_is_not(tmp_path: Path) -> None:
    _summary, _columns, charts = profile(tmp_path, ROWS)
    numbers, price, cities, days = charts
    assert (numbers.title, numbers.kind, list(numbers.series[""])) == ("id", "histogram", [50.0] * 20)
    assert sum(value or 0 for value in price.series[""] if not isinstance(value, tuple)) == 800
    assert (cities.kind, dict(cities.points(""))) == ("bar", {"Oslo": 666, "Rome": 334})
    assert (days.title, len(days.x), days.x[0], days.x[-1]) == ("day, by week", 49, "2025-12-29", "2026-11-30")
    assert [value for value in days.series[""] if value] == [84, 84, 84, 84, *[83] * 8]


def test_times_too_far_apart_to_draw_are_only_in_the_table(tmp_path: Path) -> None:
    _summary, columns, charts = profile(tmp_path, "day\n2026-01-01\n99999-01-01\n")
    assert (columns[0]["type"], charts) == ("date", [])


def test_whole_numbers_are_drawn_without_gaps_between_them(tmp_path: Path) -> None:
    _summary, _columns, (stars,) = profile(tmp_path, "stars\n" + "".join(f"{1 + n % 5}\n" for n in range(50)))
    assert (stars.x, stars.series) == ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], {"": [10] * 5})


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("ort,n\nKöln,1\nKöln,2\n".encode("cp1252"), "Windows-1252"),
        ("ort,n\nKöln,1\nKöln,2\n".encode("utf-16"), "UTF-16"),
        ("ort,n\nKöln,1\nKöln,2\n".encode("utf-8-sig"), "UTF-8"),
        ("ort;n\r\nKöln;1\r\nKöln;2\r\n".encode(), "UTF-8"),
        ('ort\tn\nKöln\t1\n"Köln"\t2\n'.encode(), "UTF-8"),
    ],
)
def test_it_may_be_written_in_other_ways(tmp_path: Path, content: bytes, encoding: str) -> None:
    _summary, columns, charts = profile(tmp_path, content, encoding=encoding)
    assert [column["column"] for column in columns] == ["ort", "n"]
    assert dict(charts[0].points("")) == {"Köln": 2}


@pytest.mark.parametrize("content", ["näme,b\nü,1\n".encode(), b"a,b\n1,2\n"])
def test_what_is_not_in_the_encoding_that_was_chosen_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FinalFailure, match=r"a\.csv is not valid UTF-16"):
        profile(tmp_path, content, encoding="UTF-16")


def test_lines_may_end_in_any_way(tmp_path: Path) -> None:
    summary, _columns, *_charts = profile(tmp_path, b"a,b\r1,2\r\n3,4\n5,6\r")
    assert "3 rows, 2 columns" in summary


def test_without_names_the_columns_get_some(tmp_path: Path) -> None:
    summary, columns, _charts = profile(tmp_path, "1,a\n2,b\n", header=False)
    assert "2 rows" in summary
    assert [column["type"] for column in columns] == ["whole number", "text"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n\n", "empty"),
        (b"a,b\x00\n1,2\n", "not text"),
        (",".join(f"c{number}" for number in range(1_000_000)).encode() + b"\n", "columns"),
        (",".join(f"c{number}" for number in range(100_000)).encode() + b"\n", "100,000 columns"),
        (b"x" * 3_000_000, "Choose a CSV file with fewer columns"),
        (b"\xc3\xa9,\xff", "not valid UTF-8"),
        (b"\xc3\xa4,b\n1,\xc3", "not valid UTF-8"),
        (b"a,b\n1,2\n" + b",".join([b"1"] * 1_000_000) + b"\n", "line has more than 1,000,000 characters"),
        (b"a,b\n1,2\n" + b'"x' * 2_000_000 + b"\n1,2\n", "line has more than 1,000,000 characters"),
    ],
)
def test_a_value_that_is_not_a_table_is_refused_with_a_reason(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FinalFailure, match=words):
        profile(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        "a\n",
        "a,a,A\n1,2,3\n",
        'a,"b ""c""; DROP TABLE data; --"\n1,2\n',
        "a,b\n1\n2,3,4\n\n5,6\n",
        "n\n1e308\n-1e308\ninf\nnan\n9007199254740993\n",
        "t\n0001-01-01\n9999-12-31\n",
        "t\n2026-01-01 10:00:00+02\n2026-06-01 10:00:00+02\n",
        "x\n" + "true\nfalse\n" * 50,
        "x\n" + "5\n" * 100,
        "x\n" + "12:30:00\n" * 9,
        "x,y\n" + "<script>alert(1)</script>,=1+1\n" * 9,
        ",\n,\n",
        "a,b\n1,2\n" + "," * 900_000 + "\n",
        'a"b,c\n1,"open\n2,3\n',
    ],
)
def test_whatever_else_it_holds_there_is_a_profile(tmp_path: Path, content: str) -> None:
    _summary, columns, _charts = profile(tmp_path, content)
    assert columns


GERMAN = "name;stadt\nMüller;Köln\nMeier;Köln\n"
Columns = list[tuple[Any, ...]]


@pytest.mark.parametrize(
    ("content", "expected", "note"),
    [
        ('a,b\n1,"two\r\nlines"\n2,"x, ""y"""\n3\n', [("whole number", 0, 3, 2), ("text", 1, 2, None)], ""),
        ("sep=;\na;b\n1,5;x\n1.234,5;y\n", [("number", 0, 2, 618.0), ("text", 0, 2, None)], "a: read with decimal"),
        ('"sep=|"\r\na|b\r\n1|x\r\n', [("whole number", 0, 1, 1), ("text", 0, 1, None)], ""),
        ("a;b\n1,5;2,5\n2,25;3\n", [("number", 0, 2, 1.875), ("number", 0, 2, 2.75)], "a, b: read with decimal"),
        ("price\n1,5\n2,5\n", [("number", 0, 2, 2.0)], "price: read with decimal commas"),
        ('a,b\n"1,234",x\n999,x\n', [("number", 0, 2, 1116.5), ("text", 0, 1, None)], "decimal points and marks"),
        ("n\n1 234,5\n2\u202f345\n999\n", [("number", 0, 3, 1234.5)], "read with decimal commas"),
        (
            "n;m\n1'234.5;+1\n1’999;-1\n",
            [("number", 0, 2, 1616.75), ("whole number", 0, 2, 0)],
            "n: read with decimal p",
        ),
        ("n,t\n1,x\nNA,NA\n3,N/A\n,null\n", [("whole number", 2, 2, 2), ("text", 3, 1, None)], "counted as missing"),
        ("n\n" + "NA\n" * 6000 + "1.5\n", [("number", 6000, 1, 1.5)], ""),
        ("n\n" + "7\n" * 6000 + "x\n", [("text", 0, 2, None)], ""),
        ("zip,id\n01234,1\n98765,2\n", [("text", 0, 2, None), ("whole number", 0, 2, 1.5)], ""),
        (f"n\n{10**37}\n{10**37 + 1}\n{10**37 + 2}\n", [("whole number", 0, 3, 10**37 + 1)], ""),
        (f"n\n{10**41}\n{10**41 + 1}\n", [("text", 0, 2, None)], ""),
        ("d\n01.02.2026\n15.02.2026\n", [("date", 0, 2, "2026-02-08")], ""),
        ("d\n2/13/2026\n3/1/2026\n", [("date", 0, 2, "2026-02-21")], "read as month/day/year"),
        ("d\n13/2/2026\n13/2/2026\n", [("date", 0, 1, "2026-02-13")], "read as day/month/year"),
        ("d\n01/02/2026\n02/03/2026\n", [("text", 0, 2, None)], "day and month cannot be told apart"),
        ("d\n2026-01-01\n2026-01-04\n", [("date", 0, 2, "2026-01-02 12:00:00")], ""),
        ("t\n2026-01-01 10:00+02\n2026-01-01T09:00Z\n", [("date and time", 0, 2, "2026-01-01 08:30:00+00")], ""),
        ("a,b\n1,2,3\n4,5,6\n", [("whole number", 0, 2, n) for n in (2.5, 3.5, 4.5)], ""),
        ("b,B,,b\n1,2,3,4\n", [("whole number", 0, 1, n) for n in (1, 2, 3, 4)], ""),
        ("a,b\n1,2\n3,4,5\n6,7\n", [("whole number", 0, 2, 3.5)], "1 lines were skipped"),
        ('a,b\n1,2\n"3,4\n5,6\n', None, "quotation mark is not closed"),
        (GERMAN.encode("utf-16"), [("text", 0, 2, None), ("text", 0, 1, None)], "read as UTF-16"),
        (GERMAN.encode("utf-16-be"), [("text", 0, 2, None), ("text", 0, 1, None)], "read as UTF-16"),
        (GERMAN.encode("utf-32"), [("text", 0, 2, None), ("text", 0, 1, None)], "read as UTF-32"),
        (GERMAN.encode("latin-1"), [("text", 0, 2, None), ("text", 0, 1, None)], "read as Windows-1252"),
        ((GERMAN + "\x81;€\n").encode("latin-1", "ignore"), [("text", 0, 3, None)] * 1, "read as LATIN-1"),
    ],
)
def test_files_of_many_kinds_are_read_rightly_or_it_is_said_how(
    tmp_path: Path, content: str | bytes, expected: Columns | None, note: str
) -> None:
    summary, columns, _charts = profile(tmp_path, content)
    assert note in summary.replace("\\", "")
    found = [(one["type"], one["missing"], one["distinct"], one["median"]) for one in columns]
    assert expected is None or found[: len(expected)] == expected
    assert len({one["column"].casefold() for one in columns}) == len(columns)


def test_all_figures_are_exact(tmp_path: Path) -> None:
    rows = [(n * 7919 % 30_000, f"key {n}", n / 7) for n in range(30_000)]
    content = "id,key,share\n" + "".join(f"{number},{key},{share}\n" for number, key, share in rows)
    _summary, (number, key, share), _charts = profile(tmp_path, content)
    assert [one["distinct"] for one in (number, key, share)] == [30_000] * 3
    assert (number["median"], number["mean"]) == (14_999.5, 14_999.5)
    assert (share["median"], share["greatest"]) == (statistics.median(one[2] for one in rows), 29_999 / 7)
    assert share["mean"] == pytest.approx(math.fsum(one[2] for one in rows) / 30_000, rel=1e-14)


def test_of_many_columns_the_first_ones_are_drawn(tmp_path: Path) -> None:
    line = ",".join("1" for _ in range(100)) + "\n"
    summary, columns, charts = profile(tmp_path, ",".join(f"c{n}" for n in range(100)) + "\n" + line * 3)
    assert (len(columns), len(charts)) == (100, MOST_CHARTS)
    assert f"the first {MOST_CHARTS} columns" in summary


def look_into(folder: Path, progress: Progress) -> None:
    folder.mkdir()
    (folder / "a.csv").write_text(ROWS)
    profile_csv(File.at(folder / "a.csv"), workspace=folder, progress=progress)


def test_it_tells_how_far_it_has_come_and_can_be_stopped(tmp_path: Path) -> None:
    told: list[float] = []
    look_into(tmp_path / "once", Progress(lambda share, _note: told.append(share or 0.0)))
    assert told == sorted(told)
    looks = itertools.count()
    with pytest.raises(StopRun):
        look_into(tmp_path / "again", Progress(stop_requested=lambda: next(looks) == 4))
    assert next(looks) == 5
