"""Messages to webhooks: committed with the end of a run, claimed once, tried again, and given up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs.runs import deliveries, lease, webhooks
from jobs.runs.backend import Backend
from jobs.runs.deliveries import SCHEDULE, Answer, Claimed
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from jobs.runs.webhook import Delivery, Webhook
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.support.people import claimed, make_owner, make_run, read, with_key

URL = "https://example.com/hook"


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


@pytest.fixture
def webhook(backend: Backend, owner_id: int) -> Webhook:
    return webhooks.create(backend, owner_id, URL)[0]


def all_of(backend: Backend) -> list[Delivery]:
    with backend.database.read() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def now_of(backend: Backend, webhook: Webhook) -> Webhook:
    with backend.database.read() as session:
        return session.get_one(Webhook, webhook.id)


def change(backend: Backend, model: type[Any], **values: Any) -> None:
    with backend.database.write() as session:
        session.execute(update(model).values(**values))


def end_one(backend: Backend, owner_id: int) -> Change:
    run = claimed(backend, make_run(backend, owner_id))
    change = lease.succeed(backend.database, run, "dish")
    assert change
    return change


def claim(backend: Backend) -> Claimed:
    found = deliveries.claim(backend.database, 60)
    assert found
    return found


def fail(backend: Backend, **answer: Any) -> None:
    """Make what is waiting due, and its next try fail."""
    change(backend, Delivery, due_at=utcnow())
    assert deliveries.record(backend.database, claim(backend), Answer(**{"status": 500, **answer}))


def cancelled(backend: Backend, run: Run) -> None:
    lease.cancel(backend.database, run.id, run.owner_id)


def failed(backend: Backend, run: Run) -> None:
    lease.fail(backend.database, claimed(backend, run), Failure("Spilt", "soup"))


def stopped(backend: Backend, run: Run) -> None:
    held = claimed(backend, run)
    lease.request_stop(backend.database, run.id, run.owner_id)
    lease.stop(backend.database, held)


def stopped_while_lost(backend: Backend, run: Run) -> None:
    claimed(backend, run)
    lease.request_stop(backend.database, run.id, run.owner_id)
    lease.expire(backend.database, lease.leases(backend.database))


def lost_too_often(backend: Backend, run: Run) -> None:
    change(backend, Run, losses=2)
    claimed(backend, run)
    lease.lose(backend.database, "worker")


def succeeded_with_the_next(backend: Backend, run: Run) -> None:
    claim = lease.Claim("worker", (), backend.durations)
    lease.succeed_and_claim(backend.database, claimed(backend, run), None, claim)


@pytest.mark.parametrize(
    ("end", "event"),
    [
        *((cancelled, "run.cancelled"), (failed, "run.failed"), (stopped, "run.cancelled")),
        *((stopped_while_lost, "run.cancelled"), (lost_too_often, "run.failed")),
        (succeeded_with_the_next, "run.succeeded"),
    ],
)
def test_every_end_of_a_run_is_told_once(
    backend: Backend, webhook: Webhook, end: Callable[[Backend, Run], None], event: str
) -> None:
    run = make_run(backend, webhook.owner_id)
    end(backend, run)
    (told,) = all_of(backend)
    assert (told.run_id, told.event, told.version) == (run.id, event, read(backend, run).version)


def test_what_is_no_end_is_not_told(backend: Backend, webhook: Webhook) -> None:
    run = claimed(backend, make_run(backend, webhook.owner_id))
    lease.report(backend.database, run, 0.5, "half")
    lease.postpone(backend.database, run, Failure("Spilt", "soup"), 0)
    assert lease.succeed(backend.database, run, "late") is None
    lease.give_back(backend.database, claimed(backend, run))
    lease.lose(backend.database, str(claimed(backend, run).worker))
    assert (all_of(backend), read(backend, run).state) == ([], State.QUEUED)


def test_only_the_owners_enabled_webhooks_are_told(backend: Backend, webhook: Webhook) -> None:
    other = make_owner(backend, "other@example.com")
    assert not end_one(backend, other).has_deliveries
    change(backend, Webhook, disabled_at=utcnow())
    assert not end_one(backend, webhook.owner_id).has_deliveries
    change(backend, Webhook, disabled_at=None, run_id=make_run(backend, webhook.owner_id).id)
    assert not end_one(backend, webhook.owner_id).has_deliveries, "it is another run's"
    assert all_of(backend) == []
    change(backend, Webhook, run_id=None)
    assert webhooks.enable(backend.database, webhook.owner_id, webhook.id)
    second, _secret = webhooks.create(backend, webhook.owner_id, URL)
    assert end_one(backend, webhook.owner_id).has_deliveries
    assert {told.webhook_id for told in all_of(backend)} == {webhook.id, second.id}
    assert len({told.message_id for told in all_of(backend)}) == 2


def test_a_change_that_does_not_commit_tells_nothing(backend: Backend, webhook: Webhook) -> None:
    run = claimed(backend, make_run(backend, webhook.owner_id))

    def interrupted() -> None:
        with backend.database.change() as connection:
            deliveries.note(connection, run.id, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all_of(backend) == []


def test_one_of_many_senders_claims_a_message_until_its_claim_runs_out(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(lambda _number: deliveries.claim(backend.database, 60), range(8)))
    (first,) = filter(None, claims)
    assert not deliveries.are_due(backend.database)
    change(backend, Delivery, due_at=utcnow())
    second = claim(backend)
    assert second.delivery.message_id == first.delivery.message_id
    assert not deliveries.record(backend.database, first, Answer(500))
    assert deliveries.record(backend.database, second, Answer(204))
    assert not deliveries.record(backend.database, first, Answer(500))
    (told,) = all_of(backend)
    assert (told.status, told.tries, told.due_at, told.delivered_at is None) == (204, 2, None, False)


def test_the_messages_of_a_busy_owner_or_webhook_are_left(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    assert deliveries.claim(backend.database, 60, [webhook.owner_id]) is None
    assert deliveries.claim(backend.database, 60, [], [webhook.id]) is None
    assert deliveries.claim(backend.database, 60, [0], [0])


def test_a_message_that_fails_is_tried_again_from_five_seconds_to_a_day_and_then_given_up(
    backend: Backend, webhook: Webhook
) -> None:
    end_one(backend, webhook.owner_id)
    waits = []
    for _try in SCHEDULE:
        fail(backend)
        (told,) = all_of(backend)
        assert told.due_at
        assert told.tried_at
        waits.append((told.due_at - told.tried_at).total_seconds())
    assert all(least <= wait <= 1.1 * least + 5 for least, wait in zip(SCHEDULE, waits, strict=True))
    assert (SCHEDULE[0], SCHEDULE[-1]) == (5, 24 * 3600)
    assert sum(SCHEDULE) > deliveries.FAILING.total_seconds()
    fail(backend)
    (told,) = all_of(backend)
    assert (told.due_at, told.delivered_at, told.status) == (None, None, 500)


@pytest.mark.parametrize(("asked", "wait"), [(100, 100), (1, 5), (10**8, 24 * 3600)])
def test_a_receiver_may_ask_to_wait_up_to_a_day(backend: Backend, webhook: Webhook, asked: float, wait: float) -> None:
    end_one(backend, webhook.owner_id)
    fail(backend, retry_after=asked)
    (told,) = all_of(backend)
    assert told.due_at
    assert told.tried_at
    assert wait <= (told.due_at - told.tried_at).total_seconds() < wait + 6


def test_a_webhook_that_is_gone_is_disabled_at_once(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    end_one(backend, webhook.owner_id)
    assert deliveries.record(backend.database, claim(backend), Answer(410))
    assert now_of(backend, webhook).disabled_because == "gone"
    assert [told.due_at for told in all_of(backend)] == [None, None]


def test_a_webhook_that_fails_for_three_days_is_disabled(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    fail(backend)
    assert now_of(backend, webhook).failing_since
    change(backend, Webhook, failing_since=utcnow() - timedelta(days=2, hours=23))
    fail(backend)
    assert now_of(backend, webhook).disabled_at is None
    change(backend, Webhook, failing_since=utcnow() - timedelta(days=3))
    fail(backend)
    assert now_of(backend, webhook).disabled_because == "failing"
    assert webhooks.enable(backend.database, webhook.owner_id, webhook.id)
    assert now_of(backend, webhook).failing_since is None


def test_a_success_ends_the_time_of_failing(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    fail(backend)
    change(backend, Delivery, due_at=utcnow())
    deliveries.record(backend.database, claim(backend), Answer(200))
    assert now_of(backend, webhook).failing_since is None


def test_a_message_is_sent_again_with_its_id_and_not_twice_at_once(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    deliveries.record(backend.database, claim(backend), Answer(200))
    (first,) = all_of(backend)
    for _time in range(2):
        assert deliveries.send_again(backend.database, webhook, first.id)
    _first, again = all_of(backend)
    same = ("message_id", "run_id", "event", "version", "created_at")
    assert [getattr(again, name) for name in same] == [getattr(first, name) for name in same]
    assert deliveries.body(again, backend.settings) == deliveries.body(first, backend.settings)
    other, _secret = webhooks.create(backend, webhook.owner_id, URL)
    assert not deliveries.send_again(backend.database, other, first.id)


def test_old_messages_are_forgotten(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    end_one(backend, webhook.owner_id)
    deliveries.record(backend.database, claim(backend), Answer(200))
    change(backend, Delivery, created_at=utcnow() - timedelta(days=31))
    deliveries.forget(backend.database)
    assert len(all_of(backend)) == 1, "one is still waiting"


def test_for_a_day_after_a_new_secret_both_sign(backend: Backend, owner_id: int) -> None:
    webhook, first = webhooks.create(backend, owner_id, URL)
    assert webhooks.secrets_of(backend.vault, webhook) == [first]
    second = webhooks.rotate(backend, owner_id, webhook.id)
    assert webhooks.secrets_of(backend.vault, now_of(backend, webhook)) == [second, first]
    change(backend, Webhook, rotated_at=utcnow() - timedelta(days=1))
    assert webhooks.secrets_of(backend.vault, now_of(backend, webhook)) == [second]
    assert webhooks.rotate(backend, make_owner(backend, "other@example.com"), webhook.id) is None


def test_secrets_are_stored_encrypted_and_survive_a_new_key(backend: Backend, webhook: Webhook) -> None:
    secret = webhooks.rotate(backend, webhook.owner_id, webhook.id)
    stored = now_of(backend, webhook).encrypted_secrets
    assert str(secret)[8:] not in stored
    old, new = backend.settings.session_key(), "a new key " * 4
    assert with_key(backend, new, previous=old).renew_webhooks() == (1, 0)
    assert with_key(backend, "another key " * 4).renew_webhooks() == (0, 1)
    assert webhooks.secrets_of(with_key(backend, new), now_of(backend, webhook))[0] == secret
    assert webhooks.secrets_of(with_key(backend, "another key " * 4), now_of(backend, webhook)) == []


def test_a_webhook_takes_its_messages_with_it(backend: Backend, webhook: Webhook) -> None:
    end_one(backend, webhook.owner_id)
    held = claim(backend)
    assert not webhooks.remove(backend.database, make_owner(backend, "other@example.com"), webhook.id)
    assert webhooks.remove(backend.database, webhook.owner_id, webhook.id)
    assert not deliveries.record(backend.database, held, Answer(200))
    assert all_of(backend) == []
