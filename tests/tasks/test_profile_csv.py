import itertools
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
    assert by_name["city"]["distinct (approx.)"] == 2


def test_numbers_dates_and_texts_are_drawn_and_what_never_repeats_is_not(tmp_path: Path) -> None:
    _summary, _columns, charts = profile(tmp_path, ROWS)
    numbers, price, cities, days = charts
    assert (numbers.title, numbers.kind, list(numbers.series[""])) == ("id", "histogram", [50.0] * 20)
    assert sum(value or 0 for value in price.series[""] if not isinstance(value, tuple)) == 800
    assert (cities.kind, dict(cities.points(""))) == ("bar", {"Oslo": 666, "Rome": 334})
    assert (days.title, len(days.x), days.x[0], days.x[-1]) == ("day, by week", 49, "2025-12-29", "2026-11-30")
    assert [value for value in days.series[""] if value] == [84, 84, 84, 84, *[83] * 8]


def test_times_too_far_apart_to_draw_are_told_in_the_table_alone(tmp_path: Path) -> None:
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
        ("name\nMüller\n".encode("cp1252"), "not valid UTF-8 at byte 6"),
        (b"", "empty"),
        (b"\n\n\n", "empty"),
        (b"a,b\x00\n1,2\n", "not text"),
        (",".join(f"c{number}" for number in range(1_000_000)).encode() + b"\n", "columns"),
        (",".join(f"c{number}" for number in range(100_000)).encode() + b"\n", "100,000 columns"),
        (b"x" * 3_000_000, "Choose a CSV file with fewer columns"),
        (b"a,\xff", "not valid UTF-8"),
        (b"a,b\n1,\xc3", "not valid UTF-8"),
        (b"a,b\n1,2\n" + b",".join([b"1"] * 1_000_000) + b"\n", "line has more than 1,000,000 characters"),
        (b"a,b\n1,2\n" + b'"x' * 2_000_000 + b"\n1,2\n", "line has more than 1,000,000 characters"),
        (b"a,b\n1,2\n" + b"," * 900_000 + b"\n", r"a\.csv needs too much memory"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
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
    ],
)
def test_whatever_else_it_holds_there_is_a_profile(tmp_path: Path, content: str) -> None:
    _summary, columns, _charts = profile(tmp_path, content)
    assert columns


def test_of_many_columns_the_first_ones_are_drawn(tmp_path: Path) -> None:
    line = ",".join("1" for _ in range(400)) + "\n"
    summary, columns, charts = profile(tmp_path, ",".join(f"c{n}" for n in range(400)) + "\n" + line * 3)
    assert (len(columns), len(charts)) == (400, MOST_CHARTS)
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
