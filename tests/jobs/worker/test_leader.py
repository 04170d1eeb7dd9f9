"""Leadership: one leader at a time, and another one when it is gone."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.runs.backend import Backend
from jobs.worker import leader
from jobs.worker.leader import Leadership


def test_one_of_many_leads_and_goes_on_leading(backend: Backend) -> None:
    many = [Leadership(backend.database, "matter") for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        first = list(threads.map(lambda one: one.hold(), many))
    again = [one.hold() for one in many]
    assert sum(first) == 1
    assert again == first


def test_a_leader_that_gives_up_is_followed_at_once(backend: Backend) -> None:
    first, second = Leadership(backend.database, "matter"), Leadership(backend.database, "matter")
    assert first.hold()
    assert not second.hold()
    first.give_up()
    assert second.hold()
    assert not first.hold()


def test_a_leader_that_is_gone_is_followed_by_one(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Leadership(backend.database, "matter")
    others = [Leadership(backend.database, "matter") for _ in range(4)]
    assert gone.hold()
    assert [one.hold() for one in others] == [False] * 4
    monkeypatch.setattr(leader, "LEADER_SECONDS", 0)
    with ThreadPoolExecutor(4) as threads:
        followed = list(threads.map(lambda one: one.hold(), others))
    assert any(followed)
    monkeypatch.setattr(leader, "LEADER_SECONDS", 3600)
    assert sum(one.hold() for one in [gone, *others]) == 1
    assert not gone.hold()


def test_two_matters_have_two_leaders(backend: Backend) -> None:
    assert Leadership(backend.database, "one").hold()
    assert Leadership(backend.database, "other").hold()
