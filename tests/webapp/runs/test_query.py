"""The language of the search: what each term means, and what is said about one that means nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.runs import State
from jobs.storage import utcnow
from webapp.runs import query
from webapp.runs.query import parse

TITLES = {"resize": "Resize images", "count_words": "Count words"}
A_DAY = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", {}),
        ("task:resize state:failed", {"task": "resize", "state": State.FAILED}),
        ('task:"Resize Images" STATE:Failed', {"task": "resize", "state": State.FAILED}),
        ('one "two  three" four*', {"phrases": ("one", "two  three", "four*")}),
        ("input.dpi:300 input.page.width:2.5", {"inputs": (("dpi", "300"), ("page.width", "2.5"))}),
        ('input.title:"The end: part 2"', {"inputs": (("title", "The end: part 2"),)}),
        ("since:2026-01-31", {"since": A_DAY}),
        ("before:2026-01-31T01:00+01:00", {"until": A_DAY}),
        ('"state:failed"', {"phrases": ("state:failed",)}),
        ('file"quoted"', {"phrases": ("file", "quoted")}),
        ("-5 a-b", {"phrases": ("-5", "a-b")}),
    ],
)
def test_terms_mean_what_they_say(text: str, meaning: dict[str, Any]) -> None:
    assert parse(text, TITLES) == query.Query(text, **meaning)


def test_times_are_also_given_as_how_long_ago() -> None:
    for text, ago in {"30m": timedelta(minutes=30), "12h": timedelta(hours=12), "7d": timedelta(7)}.items():
        since = parse(f"since:{text}", {}).since
        assert since
        assert abs(since - (utcnow() - ago)) < timedelta(seconds=5)
    assert parse("since:99999w before:today", {}).problems == ()
    yesterday = parse("since:yesterday", {}).since
    assert yesterday
    assert yesterday.hour == 0


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("colour:red", "no such filter"),
        ("http://example.com", '"http://example.com"'),
        ("state:", "after the colon"),
        ("input.:3", "no such filter"),
        ("state:lost", "queued, running, succeeded, failed, cancelled"),
        ("task:none", "no such task"),
        ("since:soon", "2026-01-31"),
        ("since:2026-02-30", "2026-01-31"),
        ("since:0001-01-01T00:00+14:00", "2026-01-31"),
        ('"open', "closing quotation mark"),
        ('input.title:"open', "closing quotation mark"),
        ("***", "no letters or digits"),
        ("ab*", "at least 3"),
        ("a*b", "at least 3"),
        ("-word", "excluded"),
        ("OR", "all terms"),
        ("before:2020-01-01", "only once"),
    ],
)
def test_a_term_that_means_nothing_is_left_out_and_explained(term: str, words: str) -> None:
    text = f"before:2026-01-31 hello {term}"
    found = parse(text, TITLES)
    assert (found.text, found.until, found.phrases) == (text, A_DAY, ("hello",))
    (problem,) = found.problems
    assert term in problem or term.partition(":")[2] in problem
    assert words in problem


def test_a_search_has_an_end() -> None:
    assert "500" in parse("x" * 501, {}).problems[0]
    many = parse(" ".join(f"w{number}" for number in range(50)), {})
    assert len(many.phrases) == query.MOST_TERMS
    assert "20" in many.problems[0]


def test_a_term_is_exchanged_in_a_query() -> None:
    text = 'hello state:failed "two words"'
    assert query.changed(text, "state", "queued") == 'state:queued hello "two words"'
    assert query.changed(text, "state", "") == 'hello "two words"'
    assert query.changed(text, "task", "an other") == 'task:"an other" hello state:failed "two words"'
