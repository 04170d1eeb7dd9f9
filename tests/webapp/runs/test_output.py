"""Output on a run's page: its log and partial results, escaped, searched, and pushed without gap or repeat."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from jobs.runs import lease, output
from jobs.runs.backend import Backend
from jobs.runs.output_entries import LARGEST_BYTES, Batch, Entry, OutputKind
from jobs.runs.run import Run
from tests.support.people import claimed, make_owner, make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from tests.webapp.live.test_snapshot import targets
from webapp.live.snapshot import Snapshot, client_state_from, difference, take_snapshot
from webapp.rendering.listings import Listing

# What has broken out of pages elsewhere: elements, attributes, entities, templates, our own envelope, odd characters.
CORPUS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</span></li></ol><b>",
    "<hx-partial hx-target='#main' hx-swap='innerHTML'>gone</hx-partial>",
    "</hx-partial><template hx type=partial>",
    "<head><title>mine</title></head>",
    "<div data-end=999999999 id=run-1-log data-version=99>",
    "\"'`><svg/onload=alert(1)>",
    "&lt;b&gt; &amp; &#60;",
    "{{ 7 * 7 }} {% raw %}",
    "<!-- <![CDATA[ ]]> -->",
    "\u202e\u2066 right to left",
    "\U0001f600\u200d\ufeff",
    '{"content": "<b>json</b>"}',
)


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    return claimed(backend, make_run(backend, owner_id(backend, ada.email)))


def put_out(backend: Backend, run: Run, *contents: Any, source: str = "out", size: int = 1000, **values: Any) -> None:
    entries = [Entry(1.0, source, content) for content in contents]
    batch = Batch(values.get("kind", OutputKind.LOG), entries, size, values.get("dropped", 0))
    assert output.store(backend.database, run, [batch])


def texts(page: BeautifulSoup, run: Run, kind: str = "log") -> list[str]:
    return [line.text for line in page.select(f"#run-{run.id}-{kind} li > span")]


def test_without_output_there_is_no_section(ada: Visitor, run: Run) -> None:
    assert soup(ada.get(f"/runs/{run.id}")).select(".output__card") == []


def test_lines_are_shown_in_order_with_time_and_source(ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "one", "  two  spaces")
    put_out(backend, run, "wrong", source="err")
    put_out(backend, run, "careful", source="warning")
    page = soup(ada.get(f"/runs/{run.id}"))
    assert texts(page, run) == ["one", "  two  spaces", "wrong", "careful"]
    lines = page.select(f"#run-{run.id}-log li")
    assert [line.text.split()[0] for line in lines] == ["00:00:01"] * 4
    assert [mark.text for mark in page.select(f"#run-{run.id}-log li > b")] == ["err", "warning"]
    region = the(page, f"#run-{run.id}-log [role=region]")
    assert region["tabindex"] == "0"
    assert the(page, f"#{region['aria-labelledby']}").text == "Log"


def test_nobody_else_sees_a_line(ben: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "a hidden line")
    for path in (f"/runs/{run.id}", f"/runs/{run.id}?log=hidden"):
        response = ben.get(path)
        assert response.status_code == 404
        assert "a hidden line" not in response.text


@pytest.mark.parametrize("line", CORPUS)
def test_lines_and_values_are_text_on_the_page_and_in_pushes(
    app: Flask, ada: Visitor, backend: Backend, run: Run, line: str
) -> None:
    with app.test_request_context("/live"):
        before = look(backend, run)
        put_out(backend, run, line)
        put_out(backend, run, line, {line: line}, [line], kind=OutputKind.EMITTED)
        pushed = difference(before.shown, look(backend, run, before))
    assert targets(pushed) == [f"#run-{run.id}", f"#run-{run.id}-log", f"#run-{run.id}-emitted"]
    assert pushed.lower().count("<hx-") == 3
    for html in (ada.get(f"/runs/{run.id}").text, pushed, ada.get(f"/runs/{run.id}", query_string={"log": line}).text):
        page = BeautifulSoup(html, "html.parser")
        assert texts(page, run) == [line]
        assert the(page, f"#run-{run.id}-emitted pre").text == line
        assert the(page, f"#run-{run.id}-emitted dd").text == line
        assert page.select("script:not([src]), img, .output svg, [onload], [onerror]") == []


def test_words_filter_the_lines_whatever_their_case(ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "Tile one", "row", "ÄPFEL")
    put_out(backend, run, "TILE two", source="err")
    page = soup(ada.get(f"/runs/{run.id}?log=tile"))
    assert texts(page, run) == ["Tile one", "TILE two"]
    assert "2 lines with “tile”" in page.text
    assert the(page, ".output__search input")["value"] == "tile"
    assert texts(soup(ada.get(f"/runs/{run.id}?log=äpfel")), run) == ["ÄPFEL"]
    assert "No lines with “nowhere”" in soup(ada.get(f"/runs/{run.id}?log=nowhere")).text
    for words in ("", "  "):
        assert len(texts(soup(ada.get(f"/runs/{run.id}", query_string={"log": words})), run)) == 4


def test_a_level_shows_its_lines_and_those_above(ada: Visitor, backend: Backend, run: Run) -> None:
    for source in ("out", "info", "warning", "error", "err"):
        put_out(backend, run, f"{source} line", source=source)
    shown = {
        "level=warning": ["warning line", "error line", "err line"],
        "level=error": ["error line", "err line"],
        "level=error&log=err%20l": ["err line"],
        "level=nonsense": ["out line", "info line", "warning line", "error line", "err line"],
    }
    for query, lines in shown.items():
        page = soup(ada.get(f"/runs/{run.id}?{query}"))
        assert texts(page, run) == lines
    assert the(soup(ada.get(f"/runs/{run.id}?level=error")), "option[selected]").text == "Errors"


@pytest.mark.parametrize("words", ["%00", "%ED%A0%80", "x" * 5000, "%", "a&log=b", "%5B%28"])
def test_odd_words_find_nothing_and_break_nothing(ada: Visitor, backend: Backend, run: Run, words: str) -> None:
    put_out(backend, run, "line")
    assert ada.get(f"/runs/{run.id}?log={words}").status_code == 200


def test_a_filtered_page_is_live_but_for_the_lines(app: Flask, ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "line")
    connect = str(the(soup(ada.get(f"/runs/{run.id}?log=line")), "#live")["hx-ws:connect"])
    assert "output=no" in connect
    assert "output" not in str(the(soup(ada.get(f"/runs/{run.id}")), "#live")["hx-ws:connect"])
    with app.test_request_context("/live"):
        now = take_snapshot(backend.database, Listing(run.owner_id, run_id=run.id, output=False), None)
        assert targets(difference(None, now)) == [f"#run-{run.id}"]


def test_each_attempt_is_marked_and_what_was_dropped_is_said(ada: Visitor, backend: Backend, run: Run) -> None:
    put_out(backend, run, "first", size=LARGEST_BYTES)
    put_out(backend, run, "second", size=9)
    lease.lose(backend.database, "worker")
    put_out(backend, claimed(backend, run), "third", dropped=1234)
    section = the(soup(ada.get(f"/runs/{run.id}")), f"#run-{run.id}-log").text
    assert "The oldest was dropped: only the newest 1 MB of a run is saved." in section
    assert re.search(r"second\s+1,234 dropped because output came too fast\s+Attempt 2\s+00:00:01 third", section)


def test_small_batches_are_rendered_together_and_none_is_shown_that_was_dropped_long_ago(
    ada: Visitor, backend: Backend, run: Run
) -> None:
    for number in range(1, 451):
        put_out(backend, run, str(number), size=LARGEST_BYTES // 430)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert texts(page, run) == [str(number) for number in range(21, 451)]
    assert len(page.select(f"#run-{run.id}-log ol")) == 3
    assert "The oldest 20 were dropped" in page.text
    assert texts(soup(ada.get(f"/runs/{run.id}?log=44")), run) == [
        "44",
        "144",
        "244",
        "344",
        *map(str, range(440, 450)),
    ]


# --- pushes


@pytest.fixture
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context("/live"):
        yield


def look(backend: Backend, run: Run, earlier: Snapshot | None = None) -> Snapshot:
    return take_snapshot(backend.database, Listing(run.owner_id, run_id=run.id), earlier)


@pytest.mark.usefixtures("_request")
def test_a_page_gets_all_at_first_and_then_only_what_is_new(backend: Backend) -> None:
    run = claimed(backend, make_run(backend, make_owner(backend)))
    put_out(backend, run, "one")
    first = look(backend, run)
    frame = difference(None, first)
    assert targets(frame) == [f"#run-{run.id}", f"#run-{run.id}-log"]
    assert difference(first.shown, look(backend, run, first)) == ""
    put_out(backend, run, "two")
    put_out(backend, run, "three")
    second = look(backend, run, first)
    frame = difference(first.shown, second)
    assert f'<hx-partial hx-target="#run-{run.id}-log-entries" hx-swap="beforeend">' in frame
    assert texts_of(frame) == ["two", "three"]
    assert second.output[OutputKind.LOG].chunks[0] is first.output[OutputKind.LOG].chunks[0], "rendered once"


@pytest.mark.usefixtures("_request")
def test_a_page_that_has_it_all_already_gets_nothing_and_any_other_gets_all(backend: Backend) -> None:
    run = claimed(backend, make_run(backend, make_owner(backend)))
    put_out(backend, run, "one", "two")
    now = look(backend, run)
    version = now.page.runs[0].version
    for claim, expected in (({"log": "3"}, []), ({"log": "2"}, ["log"]), ({"log": "x"}, ["log"]), ({}, ["log"])):
        frame = difference(client_state_from({"shown": f"{run.id}.{version}", **claim}), now)
        assert targets(frame) == [f"#run-{run.id}-{kind}" for kind in expected]


@pytest.mark.usefixtures("_request")
def test_lines_that_came_between_two_looks_come_once(backend: Backend) -> None:
    run = claimed(backend, make_run(backend, make_owner(backend)))
    frames, shown, earlier = [], None, None
    for number in range(20):
        put_out(backend, run, str(number))
        if number % 3:
            now = look(backend, run, earlier)
            frames.append(difference(shown, now))
            shown, earlier = now.shown, now
    assert [line for frame in frames for line in texts_of(frame)] == [str(number) for number in range(20)]


@pytest.mark.usefixtures("_request")
def test_a_page_under_a_flood_stays_bounded(backend: Backend) -> None:
    run = claimed(backend, make_run(backend, make_owner(backend)))
    held_by_page: list[str] = []
    longest, shown, earlier = 0, None, None
    for number in range(60):
        put_out(backend, run, str(number), size=LARGEST_BYTES // 10)
        now = look(backend, run, earlier)
        frame = difference(shown, now)
        if '-entries" hx-swap="beforeend"' not in frame:
            held_by_page.clear()
        held_by_page += texts_of(frame)
        assert held_by_page == [str(n) for n in range(number + 1 - len(held_by_page), number + 1)]
        longest = max(longest, len(held_by_page))
        shown, earlier = now.shown, now
        assert len(now.output[OutputKind.LOG].chunks) <= 10
    assert 10 < longest <= 20
    assert "The oldest 50 were dropped" in frame


def texts_of(frame: str) -> list[str]:
    return [line.text for line in BeautifulSoup(frame, "html.parser").select("ol[data-end] li > span")]
