"""Lines without an end on a run's page: below the others, replaced in place, and in the log for good once they end."""

from collections.abc import Iterator, Sequence

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from jobs.runs import lease, output
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.run import Run
from tests.support.people import claimed, make_owner, make_run, owner_id, read
from tests.support.visitor import Visitor, soup, the
from tests.webapp.live.test_snapshot import targets
from tests.webapp.runs.test_output import CORPUS, look, put_out, texts, texts_of
from webapp.live.snapshot import client_state_from, difference


def draw_line(
    backend: Backend, run: Run, *contents: str, ended: Sequence[str] = (), replaces: bool = True, source: str = "err"
) -> None:
    """Store lines without an end in place of those before, after some that have ended."""
    batches = [Batch(OutputKind.LOG, [Entry(1.0, "out", line) for line in ended], 1000)] if ended else []
    unfinished = [Entry(2.0, source, content) for content in contents]
    assert output.store(backend.database, run, batches, unfinished=unfinished, replaces=replaces)


def drawn(html: str, run: Run) -> list[str]:
    """The lines without an end."""
    page = BeautifulSoup(html, "html.parser")
    return [line.text for line in page.select(f"#run-{run.id}-log-unfinished li > span")]


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    return claimed(backend, make_run(backend, owner_id(backend, ada.email)))


@pytest.fixture
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context("/live"):
        yield


@pytest.fixture
def mine(backend: Backend) -> Run:
    return claimed(backend, make_run(backend, make_owner(backend)))


def test_it_is_shown_below_the_lines_and_says_what_it_is(ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "one")
    draw_line(backend, run, "loading", "40 %")
    page = soup(ada.get(f"/runs/{run.id}"))
    assert texts(page, run) == ["one", "loading", "40 %"]
    assert drawn(str(page), run) == ["loading", "40 %"]
    lines = the(page, f"#run-{run.id}-log-unfinished ol")
    assert lines["aria-label"] == "Unfinished lines"
    assert "data-end" not in lines.attrs
    assert the(page, f"#run-{run.id}-log-unfinished time").text == "00:00:02"


def test_it_has_the_log_shown_when_it_is_the_first_that_a_run_puts_out(
    ada: Visitor, backend: Backend, run: Run
) -> None:
    draw_line(backend, run, "loading")
    page = soup(ada.get(f"/runs/{run.id}"))
    assert len(page.select(f"#run-{run.id}-log .output__card [role=region]")) == 1
    assert drawn(str(page), run) == ["loading"]


def test_it_is_a_line_like_any_other_when_its_run_has_ended(ada: Visitor, backend: Backend, run: Run) -> None:
    draw_line(backend, run, "no newline at the end")
    assert lease.succeed(backend.database, run, None)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert (texts(page, run), drawn(str(page), run)) == (["no newline at the end"], [])


def test_it_is_a_line_of_its_attempt_when_a_further_one_follows(ada: Visitor, backend: Backend, run: Run) -> None:
    draw_line(backend, run, "half a li")
    lease.lose(backend.database, "worker")
    again = claimed(backend, run)
    draw_line(backend, again, "anew", replaces=False)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert (texts(page, run), drawn(str(page), run)) == (["half a li", "anew"], ["anew"])
    assert [note.text for note in page.select(".log .output__attempt")] == ["Attempt 2"]
    draw_line(backend, again, "anew", ended=["ended"])
    page = soup(ada.get(f"/runs/{run.id}"))
    assert (texts(page, run), drawn(str(page), run)) == (["half a li", "ended", "anew"], ["anew"])
    assert [note.text for note in page.select(".log .output__attempt")] == ["Attempt 2"], "once"


def test_words_are_found_in_it(ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "tile 1", "row")
    draw_line(backend, run, "TILE 2: 40 %", "waiting")
    page = soup(ada.get(f"/runs/{run.id}?log=tile"))
    assert (texts(page, run), drawn(str(page), run)) == (["tile 1", "TILE 2: 40 %"], ["TILE 2: 40 %"])
    assert "2 lines with “tile”" in page.text
    alone = soup(ada.get(f"/runs/{run.id}?log=waiting"))
    assert (texts(alone, run), "1 line with “waiting”" in alone.text) == (["waiting"], True)
    assert texts(soup(ada.get(f"/runs/{run.id}?log=row")), run) == ["row"]


def test_nobody_else_sees_it(ben: Visitor, backend: Backend, run: Run) -> None:
    draw_line(backend, run, "a hidden line")
    assert "a hidden line" not in ben.get(f"/runs/{run.id}").text


@pytest.mark.parametrize("line", CORPUS)
def test_it_is_text_on_the_page_and_in_pushes(app: Flask, ada: Visitor, backend: Backend, run: Run, line: str) -> None:
    put_out(backend, run, "one")
    with app.test_request_context("/live"):
        before = look(backend, run)
        draw_line(backend, run, line)
        pushed = difference(before.shown, look(backend, run, before))
    assert targets(pushed) == [f"#run-{run.id}", f"#run-{run.id}-log-unfinished"]
    for html in (ada.get(f"/runs/{run.id}").text, pushed):
        assert drawn(html, run) == [line]
        assert BeautifulSoup(html, "html.parser").select("script:not([src]), img, .output svg, [onload]") == []


# --- pushes


@pytest.mark.usefixtures("_request")
def test_a_page_is_sent_it_alone_when_it_changes_and_only_then(backend: Backend, mine: Run) -> None:
    put_out(backend, mine, "one")
    first = look(backend, mine)
    draw_line(backend, mine, "10 %")
    second = look(backend, mine, first)
    frame = difference(first.shown, second)
    assert targets(frame) == [f"#run-{mine.id}", f"#run-{mine.id}-log-unfinished"]
    assert drawn(frame, mine) == ["10 %"]
    assert lease.report(backend.database, mine, 0.5, "working")
    third = look(backend, mine, second)
    assert targets(difference(second.shown, third)) == [f"#run-{mine.id}"]
    draw_line(backend, mine, "20 %")
    assert drawn(difference(third.shown, look(backend, mine, third)), mine) == ["20 %"]


@pytest.mark.usefixtures("_request")
def test_it_goes_in_the_message_that_brings_the_line_it_has_become(backend: Backend, mine: Run) -> None:
    put_out(backend, mine, "one")
    draw_line(backend, mine, "90 %")
    first = look(backend, mine)
    draw_line(backend, mine, ended=["100 %"])
    frame = difference(first.shown, look(backend, mine, first))
    assert targets(frame) == [f"#run-{mine.id}{part}" for part in ("", "-log-entries", "-log-unfinished")]
    assert (texts_of(frame), drawn(frame, mine)) == (["100 %"], [])


@pytest.mark.usefixtures("_request")
def test_half_a_line_comes_among_the_others_when_its_run_ends(backend: Backend, mine: Run) -> None:
    put_out(backend, mine, "one")
    draw_line(backend, mine, "half a li")
    first = look(backend, mine)
    assert lease.succeed(backend.database, mine, None)
    frame = difference(first.shown, look(backend, mine, first))
    assert (texts_of(frame), drawn(frame, mine)) == (["half a li"], [])


@pytest.mark.usefixtures("_request")
def test_the_log_comes_whole_for_the_first_line_and_stays_when_that_was_wiped(backend: Backend, mine: Run) -> None:
    seen, frames = [look(backend, mine)], []
    steps = (("10 %",), ("20 %",), (), ("10 %",), ())
    for contents in steps:
        draw_line(backend, mine, *contents)
        seen.append(look(backend, mine, seen[-1]))
        frames.append(difference(seen[-2].shown, seen[-1]))
    put_out(backend, mine, "one")
    frames.append(difference(seen[-1].shown, look(backend, mine, seen[-1])))
    parts = ["log", "log-unfinished", "log-unfinished", "log", "log-unfinished", "log"]
    assert [targets(frame)[1:] for frame in frames] == [[f"#run-{mine.id}-{part}"] for part in parts]
    assert [drawn(frame, mine) for frame in frames] == [["10 %"], ["20 %"], [], ["10 %"], [], []]
    assert texts_of(frames[-1]) == ["one"]


@pytest.mark.usefixtures("_request")
def test_a_page_that_says_what_it_shows_gets_what_it_lacks(backend: Backend, mine: Run) -> None:
    def answers(*claims: str) -> list[list[str]]:
        now = look(backend, mine)
        shown = f"{mine.id}.{now.page.runs[0].version}"
        frames = [difference(client_state_from({"shown": shown, "log": claim}), now) for claim in claims]
        return [[target.removeprefix(f"#run-{mine.id}-") for target in targets(frame)] for frame in frames]

    draw_line(backend, mine, "10 %")
    version = read(backend, mine).version
    assert answers("0", f"0.{version - 1}", f"0.{version}", "0.x") == [["log"], ["log-unfinished"], [], ["log"]]
    draw_line(backend, mine)
    assert answers("0", f"0.{version}") == [[], ["log-unfinished"]], "it was wiped"
    draw_line(backend, mine, "20 %", ended=["one"])
    version = read(backend, mine).version
    assert answers("2", f"2.{version - 1}", f"2.{version}") == [["log-unfinished"], ["log-unfinished"], []]
    assert answers("1", f"1.{version}", f"0.{version}", "2.", "2.1.1", f"2.{'9' * 20}") == [["log"]] * 6
    draw_line(backend, mine, ended=["20 %"])
    assert answers("3", f"3.{version}", f"2.{version}") == [[], ["log-unfinished"], ["log"]]
