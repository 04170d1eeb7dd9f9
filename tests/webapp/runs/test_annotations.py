"""The name, note, tags and star of a run: on its page, in lists, in the API and in the archive of everything."""

import pytest

from jobs.runs import tags_of
from jobs.runs.backend import Backend
from tests.support.people import execute, make_run, owner_id, run_of
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from tests.webapp.accounts.test_export import downloaded, runs_in
from tests.webapp.runs.test_runs import ids
from webapp.live.snapshot import client_state_from, difference, take_snapshot
from webapp.rendering.listings import Listing

FORM = {"name": "  Final\tfigures ", "note": "For the board.\r\nKeep.", "tags": "#Board, 2026 board"}


def test_a_run_is_named_noted_tagged_and_starred_by_plain_forms(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    for path, form in ((f"/runs/{run_id}/about", FORM), (f"/runs/{run_id}/star", {"starred": "yes"})):
        assert ben.post(path, form).status_code == 404
        assert ada.post(path, form).headers["Location"] == f"/runs/{run_id}"
        assert ada.post(path, form).status_code == 303, "repeating it has no effect"
    run = run_of(backend, run_id)
    assert (run.name, run.note, run.tags, run.starred) == (
        "Final figures",
        "For the board.\nKeep.",
        ["2026", "board"],
        True,
    )
    assert run.version == 3
    page = soup(ada.get(f"/runs/{run_id}"))
    assert "Final figures" in the(page, "h1").text
    assert the(page, "h1 + .run-full__line a").text == "Reverse text"
    assert the(page, ".about__note").text == "For the board.\nKeep."
    assert [tag["href"] for tag in page.select(".about .tag")] == ["/runs?tag=2026", "/runs?tag=board"]
    assert the(page, ".about [aria-pressed=true]").text == "Starred"
    row = the(soup(ada.get("/runs")), f"#run-{run_id} .run__parameters").text
    assert all(text in row for text in ("Starred", "Final figures", "board", "hello"))
    ada.post(f"/runs/{run_id}/star", {"starred": "no"})
    ada.post(f"/runs/{run_id}/about", {})
    run = run_of(backend, run_id)
    assert (run.name, run.note, run.tags, run.starred) == ("", "", [], False)
    assert tags_of(backend.database, owner_id(backend, ada.email)) == []


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("name", "x" * 101, "at most 100 characters. There are 101."),
        ("note", "x" * 4001, "at most 4,000"),
        ("tags", " ".join(map(str, range(21))), "at most 20 tags"),
        ("tags", "x" * 41, "at most 40"),
        ("tags", 'a"b', "one word"),
    ],
)
def test_what_cannot_be_kept_is_said_at_its_field_and_stays_entered(
    ada: Visitor, backend: Backend, field: str, text: str, words: str
) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    for headers in ({}, {"HX_Request": "true"}):
        response = ada.post(f"/runs/{run_id}/about", {**FORM, field: text}, **headers)
        assert response.status_code == 422
        page = soup(response)
        assert words in the(page, f"#run-{run_id}-{field}-error").text
        shown = the(page, f"#run-{run_id}-{field}")
        assert str(shown.get("value") or shown.text).strip() == text
        assert the(page, ".about__edit").has_attr("open")
    assert response.headers["HX-Retarget"] == f"#run-{run_id}-about"
    assert run_of(backend, run_id).version == 1


def test_hostile_text_is_kept_and_shown_as_text(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    hostile = "<script>\x00\ud800‮"
    sent = {"name": hostile, "note": hostile, "tags": "<b>"}
    assert ada.client.post(
        f"/runs/{run_id}/about",
        data={name: text.encode("utf-8", "surrogatepass") for name, text in sent.items()},
        headers={"Origin": "http://localhost"},
    ).status_code in (303, 422)
    assert "<script>\\x00" not in ada.get(f"/runs/{run_id}").text
    assert ada.get("/runs?tag=%00").status_code == ada.get("/runs?tag=%3Cb%3E").status_code == 200


def test_history_is_filtered_by_tag_and_star(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    me = owner_id(backend, ada.email)
    one, two, three = (make_run(backend, me, task).id for task in ("reverse_text", "factorise", "factorise"))
    make_run(backend, owner_id(backend, ben.email))
    assert the(soup(ada.get("/runs?starred=yes")), ".empty").text == "No runs match. Change the filters."
    for run_id, tags in ((one, "board"), (two, "board draft"), (three, "draft")):
        ada.post(f"/runs/{run_id}/about", {"tags": tags})
    for run_id in (one, three):
        ada.post(f"/runs/{run_id}/star", {"starred": "yes"})
    assert ids(ada, "/runs?tag=board") == ids(ada, "/runs?tag=BOARD") == [two, one]
    assert ids(ada, "/runs?tag=board&task=factorise") == [two]
    assert ids(ada, "/runs?starred=yes") == [three, one]
    assert ids(ada, "/runs?starred=yes&tag=draft&state=queued") == [three]
    assert ids(ada, f"/runs?starred=yes&before={three}") == [one]
    assert ids(ada, "/runs?starred=perhaps&tag=") == [three, two, one]
    page = soup(ada.get("/runs?tag=gone"))
    assert [option.text for option in page.select("#filter-tag option")] == ["All tags", "board", "draft", "gone"]
    assert ids(ben, "/runs?tag=board") == []


def test_other_open_pages_show_it_and_announce_nothing(ada: Visitor, backend: Backend) -> None:
    me, run_id = owner_id(backend, ada.email), ada.submit("reverse_text", text="hello")
    execute(backend, run_id)
    with ada.client.application.app_context():
        before = take_snapshot(backend.database, Listing(me), None)
        ada.post(f"/runs/{run_id}/about", FORM)
        after = take_snapshot(backend.database, Listing(me), before)
        changes = difference(before.shown, after)
        assert "Final figures" in changes
        assert "announcer" not in changes
        assert "announcer" in difference(client_state_from({"shown": f"{run_id}.1"}), after), "it has ended meanwhile"


def test_a_program_changes_what_it_names(ada: Visitor, backend: Backend) -> None:
    program = Program.signed_in(ada.client.application, ada.email)
    run_id = program.submit("reverse_text", text="hello")["id"]
    path = f"/runs/{run_id}"
    assert program.patch(path, {"tags": ["Board"], "starred": True}).get_json()["tags"] == ["board"]
    run = program.patch(path, {"name": "Final"}).get_json()
    assert (run["name"], run["note"], run["tags"], run["starred"]) == ("Final", "", ["board"], True)
    for query in ("tag=board", "starred=yes", "tag=board&starred=yes&task=reverse_text"):
        assert [one["id"] for one in program.get(f"/runs?{query}").get_json()["runs"]] == [run_id]
    assert program.get("/runs?tag=other").get_json()["runs"] == []
    assert program.get("/runs?starred=maybe").status_code == 400
    for body, pointer in (
        ({"name": None}, "/name"),
        ({"tags": "board"}, "/tags"),
        ({"tags": ["a b"]}, "/tags"),
        ({"starred": 1}, "/starred"),
        ({"state": "succeeded"}, "/state"),
        ({"name": "x" * 101}, "/name"),
    ):
        response = program.patch(path, body)
        assert response.status_code == 422
        assert [error["pointer"] for error in response.get_json()["errors"]] == [pointer]


def test_they_are_part_of_ones_data_and_go_with_the_run(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    execute(backend, run_id)
    ada.post(f"/runs/{run_id}/about", FORM)
    (run,) = runs_in(downloaded(ada))
    assert (run["name"], run["tags"], run["starred"]) == ("Final figures", ["2026", "board"], False)
    ada.post(f"/runs/{run_id}/delete")
    assert tags_of(backend.database, owner_id(backend, ada.email)) == []
