"""Links to runs: their pages for strangers, how long they work, and what a guess costs."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from jobs.runs import audit, lease, shares
from jobs.runs.access import PARTS
from jobs.runs.backend import Backend
from jobs.runs.shares import Parts, Share, Terms
from jobs.storage.database import utcnow
from tests.support.people import claimed, make_run
from tests.support.visitor import ORIGIN, Visitor, soup, the
from tests.webapp.sharing.conftest import RESULT, Secretive
from tests.webapp.sharing.test_doors import SUBSETS, assert_shows, page_doors
from webapp.accounts import throttle, users

ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}
ALL = Parts(True, True, True)


def link_to(backend: Backend, run: Secretive, parts: Parts = ALL, **terms: bool) -> tuple[Share, str]:
    share, secret = shares.by_link(backend, run.owner_id, run.id, parts, Terms(**terms))
    return share, f"/shared/{secret}"


def asked(visitor: Visitor, run: Secretive, base: str) -> Iterator[int]:
    return (response.status_code for _path, response in page_doors(visitor, run, base))


def test_a_stranger_sees_the_parts_that_a_link_includes_beneath_its_address(
    visitor: Visitor, backend: Backend, secretive: Secretive
) -> None:
    for parts in SUBSETS:
        _share, base = link_to(backend, secretive, Parts(**{part: part in parts for part in PARTS}))
        answers = dict(page_doors(visitor, secretive, base))
        assert_shows(answers, parts)
        for response in answers.values():
            assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.cache_control.no_store or response.cache_control.private
        page = soup(answers[""])
        assert the(page, "meta[name=robots]")["content"] == "noindex, nofollow"
        assert not page.select(".run-full form:not(.output__search, .table__search), #live")
        own = [
            str(one.get("href") or one.get("hx-get") or one.get("action"))
            for one in page.select(".run-full [href], .run-full [action]")
        ]
        assert all(address.startswith((base, "#", "/static/")) for address in own), own
        assert f"/runs/{secretive.id}" not in answers[""].text
        assert "ada@example.com" not in answers[""].text
        followed = [str(one["href"]) for one in page.select(".run-full a[href^='/']")]
        assert {visitor.get(address).status_code for address in followed} == {200}


def test_a_link_is_made_once_counted_and_revoked(
    app: Flask, ada: Visitor, backend: Backend, secretive: Secretive
) -> None:
    form = {"kind": "link", "days": "7", "part": ["log", "files"]}
    response = ada.post(f"/runs/{secretive.id}/shares", form)
    link = the(soup(response), "[data-copied]").text
    assert link.startswith("http://localhost/shared/")
    assert link not in ada.get(f"/runs/{secretive.id}/shares").text
    stranger = Visitor(app)
    assert ada.get(link).status_code == 200
    for path in ("", "", "/table?part=0", "/changes?version=0"):
        assert stranger.get(link + path).status_code == 200
    about = the(soup(ada.get(f"/runs/{secretive.id}/shares")), ".accounts__about").text
    assert "Result, log, files" in about
    assert "opened 2 times" in about, "by others, and the page alone"
    revoke = the(soup(ada.get(f"/runs/{secretive.id}/shares")), ".accounts form")
    assert stranger.get(f"{link}/changes").headers.get("HX-Refresh") is None
    assert ada.post(str(revoke["action"])).status_code == 303
    assert stranger.get(link).status_code == 404
    assert "was revoked" in stranger.get(link).text
    assert stranger.get(f"{link}/changes").headers["HX-Refresh"] == "true"
    assert {*asked(stranger, secretive, link)} == {404}
    entries = [(one.verb, one.actor, one.before, one.after) for one in audit.listed(backend.database, limit=2)]
    shown = {"with": "whoever has the link", "parts": ["log", "files"], "signed_in": False}
    assert entries == [
        ("share revoked", ada.email, shown, {"shared": False}),
        ("run shared", ada.email, None, shown),
    ]
    assert link.rpartition("/")[2] not in str(entries)


def test_an_open_page_of_a_link_is_told_of_changes(visitor: Visitor, backend: Backend, secretive: Secretive) -> None:
    run = claimed(backend, make_run(backend, secretive.owner_id))
    _share, secret = shares.by_link(backend, secretive.owner_id, run.id, Parts(log=True), Terms())
    page = soup(visitor.get(f"/shared/{secret}"))
    poll = str(the(page, "#link-poll")["hx-get"])
    assert visitor.get(poll).status_code == 204
    assert "Reload the page" in the(page, "noscript").text
    assert lease.succeed(backend.database, run, RESULT)
    changed = soup(visitor.get(poll))
    assert RESULT in changed.text
    assert visitor.get(str(the(changed, "#link-poll")["hx-get"])).status_code == 204
    with backend.database.write() as session:
        session.execute(update(Share).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert visitor.get(poll).headers["HX-Refresh"] == "true"


def test_a_link_for_people_leads_strangers_to_sign_in(
    visitor: Visitor, ben: Visitor, backend: Backend, secretive: Secretive
) -> None:
    _share, base = link_to(backend, secretive, signed_in=True)
    for _path, response in page_doors(visitor, secretive, base):
        assert response.status_code == 302
        assert response.headers["Location"].startswith(f"/login?next={base}")
    assert {*asked(ben, secretive, base)} == {200}


def test_links_stop_with_the_owners_account_and_with_the_setting(
    app: Flask, visitor: Visitor, ada: Visitor, backend: Backend, secretive: Secretive, monkeypatch: pytest.MonkeyPatch
) -> None:
    _share, base = link_to(backend, secretive)
    users.set_active(backend.database, ada.email, False)
    assert {*asked(visitor, secretive, base)} == {404}
    users.set_active(backend.database, ada.email, True)
    assert {*asked(visitor, secretive, base)} == {200}
    monkeypatch.setitem(vars(backend.settings), "share_links", False)
    assert {*asked(visitor, secretive, base)} == {404}
    again = Visitor(app)
    again.post("/login", {"email": ada.email, "password": "correct horse battery staple"})
    assert "Links are switched off here." in again.get(f"/runs/{secretive.id}/shares").text
    refused = again.post(f"/runs/{secretive.id}/shares", {"kind": "link", "days": "7"})
    assert refused.status_code == 422
    assert "Links are switched off here." in the(soup(refused), "#kind-error").text


def test_guesses_are_limited_by_place_and_by_person(
    visitor: Visitor, ben: Visitor, backend: Backend, secretive: Secretive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST_LINKS", 2)
    _share, base = link_to(backend, secretive)
    guesses = [visitor.get(f"/shared/guess{number}", environ_base=ELSEWHERE).status_code for number in range(3)]
    assert guesses == [404, 404, 429]
    assert visitor.get(base, environ_base=ELSEWHERE).status_code == 429, "nothing is looked up for who guesses"
    assert visitor.get(base, environ_base={"REMOTE_ADDR": "203.0.113.10"}).status_code == 200
    assert ben.get(base, environ_base=ELSEWHERE).status_code == 200, "who signs in is counted alone"
    guesses = [ben.get(f"/shared/guess{number}", environ_base=ELSEWHERE).status_code for number in range(3)]
    assert guesses == [404, 404, 429]
    assert visitor.client.post(base, headers=ORIGIN).status_code == 405
