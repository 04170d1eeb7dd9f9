"""The search: which runs it finds, for whom, in which order, and how far it looks in its time."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from sqlalchemy import select, text, update

from jobs.runs import Annotations, annotate, delete_run, lease, run_text, search, submission
from jobs.runs.backend import Backend
from jobs.runs.deletion import delete_person
from jobs.runs.run import Run, State
from jobs.runs.run_text import Indexing, RunText, SearchProgress
from jobs.runs.search import Search, find
from jobs.runs.search_words import of_owner
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.support.people import claimed, make_owner, make_run, note_file, run_of

FILE = {"$file": {"sha256": "ab" * 32, "size": 3, "name": "Café-holiday_2024.JPG", "media_type": "image/jpeg"}}


@pytest.fixture
def me(backend: Backend) -> int:
    return make_owner(backend)


def make(backend: Backend, owner_id: int, **parameters: Any) -> int:
    """A run with its words, as one that is submitted has them."""
    run = make_run(backend, owner_id, parameters=parameters)
    with backend.database.write() as session:
        run_text.add(session, run)
    return run.id


def found(backend: Backend, owner_id: int, *phrases: str, **given: Any) -> list[int]:
    return list(find(backend.database, Search(owner_id, **{"phrases": phrases, **given}), 25).run_ids)


SPOKEN = ("holiday", "CAFÉ", "cafe", "2024", "holiday_2024.jpg", "Café holiday", "holi*", "holiday 20*", "中文", "0.5")
UNSPOKEN = ("holi", "holiday cafe", "sha256", "jpeg", "text hello", "中字", "quoted naive", "liday*", "photo")


def test_words_of_inputs_and_of_files_are_found_as_people_write_them(backend: Backend, me: int) -> None:
    run = make(backend, me, photo=FILE, words="naive 'quoted\" \\ back: 中文字", share=0.5, text="hello", end="text")
    make(backend, me, photo="other")
    for phrase in (*SPOKEN, "naïve", "quoted back"):
        assert found(backend, me, phrase) == [run], phrase
    for phrase in UNSPOKEN:
        assert found(backend, me, phrase) == [], phrase
    assert found(backend, me, "hello", "2024", "nai*") == [run]
    assert found(backend, me, "hello", "other") == []


INPUTS = (
    *(("dpi", value, True) for value in ("300", "300.0", "3e2", "+300")),
    *(("DPI", "300", True), ("dpi", "30", False), ("size", "300", False), ("dpi", "3" * 999, False)),
    *(("title", "the  End", True), ("title", "end", False), ("fast", "yes", True), ("fast", "true", True)),
    *(("fast", "no", False), ("page.width", "2.5", True), ("width", "2.5", False), ("tags", "b", True)),
    *(("photo", "café-holiday_2024.jpg", True), ("limit", "nothing", True), ("limit", "null", True)),
)


def test_an_input_is_found_by_its_value(backend: Backend, me: int) -> None:
    parameters = {"dpi": 300, "title": "The end", "fast": True, "page": {"width": 2.5}, "tags": ["a", "b"]}
    run = make(backend, me, photo=FILE, limit=None, **parameters)
    for name, value, is_found in INPUTS:
        assert found(backend, me, inputs=((name, value),)) == ([run] if is_found else []), (name, value)


def test_results_and_errors_are_found_after_the_next_sweep(backend: Backend, me: int) -> None:
    one, two = make(backend, me, text="first"), make(backend, me, text="second")
    held = claimed(backend, run_of(backend, one))
    note_file(backend, one, b"report", name="quarterly report.pdf")
    lease.succeed(backend.database, held, {"answer": "crème\nbrûlée 😀 “done”", "rows": [{"total": 4711}]})
    lease.fail(backend.database, claimed(backend, run_of(backend, two)), Failure("OverflowError", "Too many Ducks"))
    indexing = Indexing(backend.database)
    for _sweep in range(2):
        indexing.sweep()
        for phrase in ("first", "creme brulee", "done", "4711", "answer", "quarterly report"):
            assert found(backend, me, phrase) == [one], phrase
        assert found(backend, me, "OverflowError") == found(backend, me, "too many ducks") == [two]
    again = submission.retry(backend, me, run_of(backend, two))
    assert again.id == two
    lease.succeed(backend.database, claimed(backend, again), "at last")
    indexing.sweep()
    assert found(backend, me, "OverflowError") == []
    assert found(backend, me, "last") == [two]


def test_a_run_is_found_by_its_name_its_note_its_tag_and_its_star(backend: Backend, me: int) -> None:
    run, other = (make(backend, me, text="hello") for _ in range(2))
    with backend.database.write() as session:
        session.execute(update(Run).values(state=State.SUCCEEDED))
    Indexing(backend.database).sweep()
    annotate(backend, me, run, Annotations("March board", "final figures", ["draft"], starred=True))
    Indexing(backend.database).sweep()
    assert found(backend, me, "march board") == found(backend, me, "figures") == [run]
    for given in ({"tag": "draft"}, {"starred": True}, {"tag": "draft", "starred": True, "state": State.SUCCEEDED}):
        assert found(backend, me, "hello", **given) == found(backend, me, **given) == [run]
    assert found(backend, me, "hello", tag="none") == []
    assert found(backend, me, "hello", after=run, starred=True) == []
    assert found(backend, me, "hello") == [other, run]


def test_a_run_is_found_from_its_submission_on_and_no_secret_ever(backend: Backend, me: int) -> None:
    task = backend.catalog["reverse_text"]

    class Parameters(BaseModel):
        text: str
        token: SecretStr

    run = submission.submit(backend, task, me, Parameters(text="visible", token=SecretStr("sesame")))
    assert found(backend, me, "visible") == found(backend, me, "visible", task="reverse_text") == [run.id]
    assert found(backend, me, "visible", task="factorise") == []
    lease.succeed(backend.database, claimed(backend, run), "ok")
    Indexing(backend.database).sweep()
    for given in ({"inputs": (("token", "sesame"),)}, {"inputs": (("token", "•••"),)}):
        assert found(backend, me, **given) == []
    assert found(backend, me, "sesame") == []
    with backend.database.read() as session:
        assert "sesame" not in str(session.scalars(select(text("words")).select_from(RunText)).all())


def test_nobody_finds_the_runs_of_another(backend: Backend, me: int) -> None:
    other = make_owner(backend, "other@example.com")
    mine, _others = make(backend, me, text="treasure"), make(backend, other, text="treasure")
    assert found(backend, me, "treasure") == [mine]
    with backend.database.write() as session:  # even if the index were wrong
        session.execute(update(RunText).values(owner_id=me, words=["treasure", of_owner(me)]))
    assert found(backend, me, "treasure") == [mine]


def test_deleted_runs_leave_the_index(backend: Backend, me: int) -> None:
    kept, gone = make(backend, me, text="word"), make(backend, me, text="word")
    lease.cancel(backend.database, gone, me)
    delete_run(backend, me, gone)
    assert found(backend, me, "word") == [kept]
    assert indexed(backend) == 1
    delete_person(backend, me)
    assert indexed(backend) == 0


def indexed(backend: Backend) -> int:
    """Return the number of runs for which the index has a common word."""
    with backend.database.read() as session:
        if backend.database.engine.dialect.name == "sqlite":
            return len(session.execute(text("SELECT rowid FROM run_words WHERE run_words MATCH 'word'")).all())
        return len(session.execute(text("SELECT run_id FROM run_texts WHERE words @@ 'word'::tsquery")).all())


def test_filters_are_combined_and_times_are_exact(backend: Backend, me: int) -> None:
    now = utcnow()
    runs = [make(backend, me, text=f"word{number % 2}") for number in range(10)]
    with backend.database.write() as session:
        for age, run_id in enumerate(reversed(runs)):
            session.execute(update(Run).where(Run.id == run_id).values(created_at=now - timedelta(days=age)))
    for run_id in runs[:4]:
        lease.cancel(backend.database, run_id, me)
    since, until = now - timedelta(days=8), now - timedelta(days=5)
    every_second: tuple[dict[str, Any], ...] = ({"inputs": (("text", "word0"),)}, {"phrases": ("word0",)})
    for given in ({}, *every_second):
        newest_first = [one for one in runs[::-1] if not given or one in runs[::2]]
        between = [one for one in newest_first if runs[1] <= one < runs[4]]
        assert found(backend, me, since=since, until=until, **given) == between
        assert found(backend, me, state=State.CANCELLED, **given) == [one for one in newest_first if one <= runs[3]]
        assert found(backend, me, task="factorise", **given) == []


def test_pages_lead_both_ways_while_runs_come_and_go(backend: Backend, me: int) -> None:
    runs = [make(backend, me, text="word") for _ in range(10)]
    for words in ((), ("word",)):

        def page(words: tuple[str, ...] = words, **place: Any) -> list[int]:
            return list(find(backend.database, Search(me, phrases=words, **place), 3).run_ids)

        assert page() == runs[:6:-1]
        assert page(before=runs[7]) == runs[6:3:-1]
        assert page(after=runs[6]) == runs[:6:-1]
        assert page(after=runs[1]) == runs[4:1:-1]
        assert page(after=runs[9]) == []
        assert page(before=runs[0]) == []


def test_a_search_stops_when_its_time_is_over_and_goes_on_from_there(
    backend: Backend, me: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FIRST_STEP", 2)
    monkeypatch.setattr(search, "SHORTEST_STEP", 2)
    monkeypatch.setattr(search, "STEP_SECONDS", 0.0)
    runs = [make(backend, me, text="rare" if number < 2 else "common") for number in range(9)]
    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.0)
    steps = []
    place: int | None = runs[-1] + 1
    while place is not None:
        found = find(backend.database, Search(me, phrases=("rare",), before=place), 25)
        place = found.stopped_at
        steps.append((found.run_ids, place))
        assert place is None or found.stopped_time == run_of(backend, place).created_at
    assert steps == [([], runs[7]), ([], runs[5]), ([], runs[3]), ([runs[1]], runs[1]), ([runs[0]], None)]


def test_a_statement_that_takes_too_long_is_taken_again_in_shorter_steps(
    backend: Backend, me: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LONGEST_STEP_SECONDS", 0.0 if backend.database.engine.dialect.name == "sqlite" else 0)
    runs = [make(backend, me, text="word") for _ in range(3)]
    assert found(backend, me, "word") == runs[::-1]


def test_runs_from_before_the_search_get_their_words_and_it_says_how_far(backend: Backend, me: int) -> None:
    old = [make_run(backend, me, parameters={"text": "word"}).id for _ in range(3)]
    with backend.database.write() as session:
        session.execute(update(SearchProgress).values(down_to=old[-1] + 1))
    new = make(backend, me, text="word")
    asked = Search(me, phrases=("word",))
    assert find(backend.database, asked, 25) == ([new], None, None, True)
    indexing = Indexing(backend.database)
    indexing.sweep()
    assert find(backend.database, asked, 25) == ([new, *old[::-1]], None, None, False)
    late = make_run(backend, me, parameters={"text": "word"}).id  # by a process that does not know the search
    indexing.sweep()
    assert found(backend, me, "word")[0] == late
