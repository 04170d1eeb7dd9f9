"""Lines: what a process writes and what it logs, as a run's log has it."""

from typing import Any

import pytest

from jobs.authoring.secrets import HIDDEN
from jobs.runs.output_entries import Entry
from jobs.worker.redaction import Redactor
from jobs.worker.transcript import LONGEST_LINE, MOST_WAITING, Transcript

MARK = b"\x1eof this run\x1e"
CUT = " … (cut after 10,000 characters)"


class Listening:
    """A transcript, and what it has written."""

    def __init__(self, *secrets: str) -> None:
        self.entries: list[Entry] = []
        self.transcript = Transcript(MARK, Redactor(secrets), self.entries.append)

    @property
    def lines(self) -> list[tuple[str, Any]]:
        return [(entry.source, entry.content) for entry in self.entries]

    def unfinished(self) -> list[tuple[str, Any]]:
        return [(entry.source, entry.content) for entry in self.transcript.unfinished()]

    def feed(self, data: bytes, source: str = "out") -> None:
        self.transcript.feed(source, data)

    def mark(self) -> None:
        for source in ("out", "err"):
            self.feed(MARK, source)


def written(data: bytes, size: int = 0) -> list[str]:
    """The lines of some bytes that come at once, or in chunks of a size."""
    listening = Listening()
    for start in range(0, len(data), size or len(data)):
        listening.feed(data[start : start + (size or len(data))])
    listening.transcript.close()
    return [line for _source, line in listening.lines]


@pytest.mark.parametrize("size", [0, 1, 3])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one\ntwo\nthree", ["one", "two", "three"]),
        (b"\n\n", ["", ""]),
        (b"dos\r\nlines\r\n", ["dos", "lines"]),
        (b"10 %\r20 %\r30 %\n", ["30 %"]),
        (b"10 %\r20 %\r", ["20 %"]),
        (b"10 %\r20 %\r\n100 %", ["20 %", "100 %"]),
        (b"\x1b[31mred\x1b[0m \x1b[1;32mgreen\n", ["red green"]),
        (b"bell\a\x1b]\n", ["bell\\x07\\x1b]"]),
        (b"tab\there\n", ["tab\there"]),
        (b"a\x00b\n", ["a\\x00b"]),
        (b"\xff\xfe is no UTF-8\n", ["\\xff\\xfe is no UTF-8"]),
        ("\x85\u2028 \U0001f600 ж\n".encode(), ["\\x85\u2028 \U0001f600 ж"]),
    ],
)
def test_what_a_terminal_would_obey_is_written_out_however_it_comes(data: bytes, lines: list[str], size: int) -> None:
    assert written(data, size) == lines


@pytest.mark.parametrize("size", [0, 1000])
@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("character", ["x", "\U0001f600"])
def test_a_long_line_is_cut_and_that_is_said(character: str, end: bytes, size: int) -> None:
    first, *rest = written(character.encode() * 200_000 + end + b"next" * bool(end), size)
    assert first.startswith(character * LONGEST_LINE + CUT)
    assert len(first) == LONGEST_LINE + len(CUT)
    assert rest == ["next"] * bool(end)


def test_a_line_of_just_the_longest_length_is_whole() -> None:
    assert written(b"x" * LONGEST_LINE + b"\n") == ["x" * LONGEST_LINE]


def test_a_line_that_is_redrawn_forever_keeps_only_what_it_shows() -> None:
    assert written(b"".join(b"%d %%\r" % number for number in range(200_000)) + b"done\n", 65_536) == ["done"]


def test_what_was_begun_is_told_as_a_terminal_shows_it_by_now() -> None:
    listening = Listening()
    listening.feed(b"first\n10 %\r20 %")
    listening.feed(b"\x1b[1mwrong", "err")
    assert listening.lines == [("out", "first")]
    assert listening.unfinished() == [("out", "20 %"), ("err", "wrong")]
    listening.feed(b"\r30 %\r")
    assert listening.unfinished() == [("out", "30 %"), ("err", "wrong")]
    listening.feed(b"\n")
    assert listening.unfinished() == [("err", "wrong")]


def test_what_was_begun_shows_no_beginning_of_a_secret() -> None:
    listening = Listening("correct-horse-battery")
    for part in (b"it is corr", b"ect-horse-", b"batt"):
        listening.feed(part)
        assert listening.unfinished() == [("out", "it is ")]
    listening.feed(b"ery")
    assert listening.unfinished() == [("out", f"it is {HIDDEN}")]
    listening.feed(b"\nnot correct-horses\n")
    assert listening.lines == [("out", f"it is {HIDDEN}"), ("out", "not correct-horses")]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_what_is_logged_stands_where_it_was_said_although_a_mark_comes_in_parts(size: int) -> None:
    listening = Listening()
    listening.transcript.log("info", "logged\ntwice")
    data = b"before\n" + MARK + b"after\n"
    for start in range(0, len(data), size):
        listening.feed(data[start : start + size])
    assert listening.lines == [("out", "before")], "the other stream may have more that was written before"
    listening.feed(b"wrong\n" + MARK, "err")
    expected = [("out", "before"), ("err", "wrong"), ("info", "logged"), ("info", "twice"), ("out", "after")]
    assert listening.lines == expected


def test_what_follows_a_mark_waits_for_what_was_logged_there() -> None:
    listening = Listening()
    listening.mark()
    listening.feed(b"after\n")
    assert listening.lines == []
    listening.transcript.log("warning", "there")
    assert listening.lines == [("warning", "there"), ("out", "after")]


def test_a_line_that_was_begun_before_a_mark_goes_on_after_it() -> None:
    listening = Listening()
    listening.feed(b"par")
    listening.mark()
    listening.transcript.log("info", "between")
    listening.feed(b"tial\n")
    assert listening.lines == [("info", "between"), ("out", "partial")]


def test_the_mark_of_another_run_is_text() -> None:
    assert written(b"\x1eof another run\x1e\n") == ["\\x1eof another run\\x1e"]


def test_marks_without_messages_do_not_hold_up_output_for_ever() -> None:
    listening = Listening()
    line = b"x" * 99 + b"\n"
    listening.feed(MARK * 50)
    for _ in range(MOST_WAITING // len(line) + 1):
        listening.feed(line)
    assert listening.lines == [("out", "x" * 99)] * (MOST_WAITING // len(line) + 1)


def test_the_end_writes_what_is_left_in_both_streams_and_in_the_log() -> None:
    listening = Listening()
    listening.feed(b"begun")
    listening.transcript.log("info", "its marks have not come")
    listening.feed(MARK[:5], "err")
    listening.transcript.close()
    half = "\\x1eof t"
    assert sorted(listening.lines) == [("err", half), ("info", "its marks have not come"), ("out", "begun")]
    assert listening.unfinished() == []


def test_what_is_logged_is_redacted_before_it_is_made_lines_of() -> None:
    listening = Listening("first line\nsecond line")
    listening.mark()
    listening.transcript.log("error", "it is first line\nsecond line!")
    assert listening.lines == [("error", f"it is {HIDDEN}!")]
