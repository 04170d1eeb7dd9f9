"""text_statistics: what counts as a character, a word and a sentence."""

import time
from typing import Any

import pytest

from jobs import Chart
from jobs.tasks.text_statistics import EXAMPLE, text_statistics


def facts(text: str) -> dict[str, Any]:
    found: dict[str, Any] = text_statistics(text)[0]
    return found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop the well-known Äpfel", 5),
        ("one - two -- three", 3),
        ("e\u0301te\u0301", 1),
        ("3 pears", 2),
        ("?!", 0),
    ],
)
def test_words_are_counted_as_a_reader_does(text: str, words: int) -> None:
    assert facts(text)["Words"] == words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", 3),
        ("It costs 3.50 here", 1),
        ("Fruit, e.g. pears, is sweet. So it is.", 2),
        ('He said "Go." Nobody went...', 2),
        ("A heading\n\nAnd a text", 2),
        ("你好。再见。", 2),
        ("...", 0),
    ],
)
def test_sentences_end_where_a_reader_stops(text: str, sentences: int) -> None:
    assert facts(text)["Sentences"] == sentences


def test_a_character_is_what_a_reader_sees_as_one() -> None:
    assert facts("e\u0301👩\u200d🍳")["Characters"] == 2
    assert facts("🇩🇪🇳🇴 🇸")["Characters"] == 4


HOSTILE = {
    "full stops": "." * 50_000 + "a",
    "quotes": ".\"'" * 15_000 + "a",
    "spaces": "." + " " * 50_000 + "a",
    "lines": "\n " * 25_000 + "a",
    "flags": "🇩" * 50_000,
    "marks": "👩" + "\u0301" * 50_000 + "\u200d👩",
    "conjuncts": "क्" * 25_000,
    "apostrophes": "a'" * 25_000,
    "one word": "a" * 50_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_time_grows_no_faster_than_the_text(text: str) -> None:
    began = time.thread_time()
    facts(text)
    assert time.thread_time() - began < 3, "a hundred times more than needed"


@pytest.mark.parametrize(("words", "spoken"), [(1, "0 s"), (119, "30 s"), (476, "2 min 0 s")])
def test_the_reading_time_is_that_of_238_words_a_minute(words: int, spoken: str) -> None:
    assert facts("word " * words)["Reading time"] == spoken


def test_the_most_frequent_words_are_drawn_and_listed_whatever_their_case() -> None:
    _facts, chart, table = text_statistics("Soup and bread. Soup and soup!", 2)
    assert isinstance(chart, Chart)
    assert list(chart.points("")) == [("soup", 3), ("and", 2)]
    assert table == [{"word": "soup", "times": 3, "share %": 50.0}, {"word": "and", "times": 2, "share %": 33.3}]


def test_a_text_without_words_has_no_chart_and_no_table() -> None:
    assert len(text_statistics("...")) == 1


def test_a_word_longer_than_a_label_is_cut_in_the_chart_only() -> None:
    _facts, chart, table = text_statistics("x" * 1000)
    assert [label for label, _times in chart.points("")] == ["x" * 30]
    assert table[0]["word"] == "x" * 1000


def test_the_example_is_a_text_that_shows_everything() -> None:
    assert facts(EXAMPLE)["Sentences"] == 5
    assert len(text_statistics(EXAMPLE)) == 3
