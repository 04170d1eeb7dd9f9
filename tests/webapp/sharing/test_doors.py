"""The view of a run that is shared with somebody, over every door; its rules are in jobs/runs/rights.py."""

import re
from collections.abc import Iterator
from itertools import chain, combinations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jobs.runs import groups, shares
from jobs.runs.access import PARTS
from jobs.runs.backend import Backend
from jobs.runs.people import Role
from jobs.runs.run import State
from jobs.runs.shares import Parts, Terms
from tests.support.people import make_run, owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from tests.webapp.api.test_mcp import request, send
from tests.webapp.sharing.conftest import GIVEN, LINE, MADE, NOTE, PARAMETER, PARTIAL, RESULT, TAG, Secretive
from webapp.accounts import users

Answers = dict[str, TestResponse]
SUBSETS = [set(some) for some in chain.from_iterable(combinations(PARTS, count) for count in range(4))]


def page_doors(visitor: Visitor, run: Secretive, base: str) -> Iterator[tuple[str, TestResponse]]:
    """Ask every address of a run's page and of its parts, beneath `base`."""
    paths = ("", f"?log={LINE}", "/table?part=0", "/table.csv?part=0", "/text?part=2", "/log.txt", "/everything.zip")
    for path in (*paths, f"/files/{run.given.sha256}", f"/files/{run.made.sha256}"):
        yield path, visitor.get(base + path)


def doors(visitor: Visitor, program: Program, run: Secretive) -> Answers:
    """Ask every address that is about a run."""
    found = dict(page_doors(visitor, run, f"/runs/{run.id}"))
    live = visitor.get(f"/runs/{run.id}")
    if (connection := soup(live).select_one("#live-poll")) is not None:
        found["live"] = visitor.get(str(connection["hx-get"]))
    found |= {"list": visitor.get("/runs/shared"), "history": visitor.get(f"/runs?run={run.id}")}
    found["form"] = visitor.get(f"/tasks/reverse_text?run={run.id}")
    for path in ("", "/output", "/output?kind=emitted", "/result", f"/files/{run.given.sha256}"):
        found[f"api{path}"] = program.get(f"/runs/{run.id}{path}")
    found["events"] = program.get(f"/runs/{run.id}", Accept="text/event-stream")
    found["events"].get_data()  # streams are read one after the other
    found["poll"] = program.get(f"/runs/{run.id}?wait=1&version=999")
    found["tool"] = send(program, request("tools/call", name="get-run", arguments={"id": run.id, "wait": 0}))
    return found


def changing(visitor: Visitor, program: Program, run: Secretive) -> list[TestResponse]:
    """Try to change a run by every address that does."""
    posts = [visitor.post(f"/runs/{run.id}/{verb}") for verb in ("cancel", "retry", "delete", "shares")]
    revoke = visitor.post(f"/runs/{run.id}/shares/1/revoke")
    looks = [visitor.get(f"/runs/{run.id}/shares"), program.get(f"/runs/{run.id}/shares")]
    calls = [program.post(f"/runs/{run.id}/{verb}") for verb in ("cancel", "retry", "shares")]
    deletes = [program.delete(f"/runs/{run.id}{end}") for end in ("", "/shares/1")]
    return [*posts, revoke, *looks, *calls, *deletes]


def contents(answers: Answers) -> bytes:
    return b"\n".join(response.data for response in answers.values())


def nameless(data: bytes, run_id: int) -> bytes:
    """Return an answer without times and without the number of the run in addresses, which whoever asks has given."""
    return re.sub(rb"(runs/|run=|run-)%d\b" % run_id, rb"\1N", re.sub(rb"\d{4}-\d\d-\d\dT[\d:.+]*", b"", data))


def assert_shows(answers: Answers, parts: set[str]) -> None:
    everything = contents(answers)
    assert RESULT.encode() in answers[""].data
    assert (PARAMETER.encode() in everything) == ("parameters" in parts)
    for text in (LINE, PARTIAL):  # the search for the line says what was searched for
        without_search = contents({door: one for door, one in answers.items() if not door.startswith("?log")})
        assert (text.encode() in without_search) == ("log" in parts), text
    assert (MADE in everything) == ("files" in parts)
    assert not any(one.encode() in everything for one in (NOTE, TAG)), "these are the owner's own"
    assert (GIVEN in everything) == ({"files", "parameters"} <= parts)
    assert ("files/{sha}".format(sha="").encode() in answers[""].data) == ("files" in parts)
    assert answers["/log.txt"].status_code == (200 if "log" in parts else 404)
    assert answers["/table.csv?part=0"].status_code == 200


@pytest.mark.parametrize("kind", ["person", "group"])
def test_every_door_shows_the_parts_that_are_shared_and_nothing_else(
    app: Flask, backend: Backend, ben: Visitor, secretive: Secretive, kind: str
) -> None:
    program = Program.signed_in(app, ben.email)
    users.set_role(backend.database, owner_id(backend, ben.email), Role.VIEWER)
    group = groups.create(backend.database, "finance").id
    groups.add_member(backend.database, group, owner_id(backend, ben.email))
    before = doors(ben, program, secretive)
    for parts in SUBSETS if kind == "person" else ({"log"},):
        given = Parts(**{part: part in parts for part in PARTS})
        if kind == "person":
            share = shares.with_person(backend, secretive.owner_id, secretive.id, ben.email, given)
        else:
            share = shares.with_group(backend, secretive.owner_id, secretive.id, group, given)
        answers = doors(ben, program, secretive)
        assert_shows(answers, parts)
        assert f"run-{secretive.id}" in answers["list"].text
        assert "live" in answers
        assert all(RESULT in answers[door].text for door in ("api", "events", "tool"))
        assert answers["api"].get_json()["shared"] == {
            "by": "ada@example.com",
            "parts": [*filter(parts.__contains__, PARTS)],
        }
        assert {one.status_code for one in changing(ben, program, secretive)} == {404}
        assert not soup(answers[""]).select(".run-full form:not(.output__search, .table__search)")
        assert answers["history"].data.count(b'class="run"') == 0
    live = str(the(soup(ben.get(f"/runs/{secretive.id}")), "#live-poll")["hx-get"])
    assert ben.get(live).status_code in (200, 204)
    shares.revoke(backend, share.id)
    assert ben.get(live).status_code == 205, "an open page that polls loads itself again"
    after = doors(ben, program, secretive)
    assert {door: one.status_code for door, one in after.items()} == {d: one.status_code for d, one in before.items()}
    assert RESULT.encode() not in contents(after)


def test_a_run_that_is_private_is_like_none(app: Flask, backend: Backend, ben: Visitor, secretive: Secretive) -> None:
    program = Program.signed_in(app, ben.email)
    none = Secretive(secretive.id + 1000, 0, secretive.given, secretive.made)
    answers, others = doors(ben, program, secretive), doors(ben, program, none)
    for door, one in answers.items():
        other = others[door]
        assert one.status_code == other.status_code, door
        assert nameless(one.data, secretive.id) == nameless(other.data, none.id), door
        assert {*one.headers.keys()} == {*other.headers.keys()}, door
    assert "There is no such run, or it is private. Ask its owner to share it." in answers[""].text
    assert {one.status_code for one in changing(ben, program, none)} == {404}
    assert {one.status_code for one in changing(ben, program, secretive)} == {404}


def test_nobody_sees_a_traceback_by_a_share_unless_they_may_see_code(
    app: Flask, backend: Backend, ben: Visitor, secretive: Secretive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("app_env", "production"), ("public_url", "http://localhost")):
        monkeypatch.setitem(vars(backend.settings), name, value)
    failure = {"error_kind": "ValueError", "error_message": "shown message", "error_traceback": "hidden traceback"}
    run = make_run(backend, secretive.owner_id, state=State.FAILED, **failure)
    shares.with_person(backend, secretive.owner_id, run.id, ben.email, Parts(True, True, True))
    _share, secret = shares.by_link(backend, secretive.owner_id, run.id, Parts(True, True, True), Terms())
    program = Program.signed_in(app, ben.email)
    for response in (ben.get(f"/runs/{run.id}"), ben.get(f"/shared/{secret}"), program.get(f"/runs/{run.id}")):
        assert "shown message" in response.text
        assert "hidden traceback" not in response.text
    users.set_role(backend.database, owner_id(backend, ben.email), Role.ADMINISTRATOR)
    assert "hidden traceback" in ben.get(f"/runs/{run.id}").text
    assert "hidden traceback" not in ben.get(f"/shared/{secret}").text


def test_what_is_shared_with_its_parameters_is_run_as_ones_own(
    backend: Backend, ben: Visitor, secretive: Secretive
) -> None:
    shares.with_person(backend, secretive.owner_id, secretive.id, ben.email, Parts(parameters=True, files=True))
    link = the(soup(ben.get(f"/runs/{secretive.id}")), ".run-full__actions a")
    form = soup(ben.get(str(link["href"])))
    assert the(form, "[name=text]").text.strip() == PARAMETER
    users.set_role(backend.database, owner_id(backend, ben.email), Role.VIEWER)
    assert not soup(ben.get(f"/runs/{secretive.id}")).select(".run-full__actions a")
