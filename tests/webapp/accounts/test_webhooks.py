"""The pages of webhooks: create, watch, enable, delete, and send again."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from jobs.runs import deliveries, lease, webhooks
from jobs.runs.backend import Backend
from jobs.runs.deliveries import Answer
from jobs.runs.webhook import Delivery, Webhook
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.accounts import users

URL = "https://example.com/hook"
PAGE = "/account/webhooks"


def created(ada: Visitor) -> str:
    """Create a webhook and return its secret."""
    response = ada.post(PAGE, {"url": URL})
    assert response.status_code == 200
    return the(soup(response), ".tokens__secret").text


def the_webhook(backend: Backend) -> Webhook:
    with backend.database.read() as session:
        return session.scalars(select(Webhook)).one()


def cancel_one(backend: Backend, ada: Visitor) -> None:
    run = make_run(backend, owner_id(backend, ada.email))
    assert lease.cancel(backend.database, run.id, run.owner_id)


def try_one(backend: Backend, answer: Answer) -> None:
    claimed = deliveries.claim(backend.database, 60)
    assert claimed
    deliveries.record(backend.database, claimed, answer)


def test_a_webhook_is_created_with_a_secret_that_is_shown_once(ada: Visitor, backend: Backend) -> None:
    assert "No webhooks yet" in ada.get(PAGE).text
    secret = created(ada)
    webhook = the_webhook(backend)
    assert webhooks.secrets_of(backend.vault, webhook) == [secret]
    for path in (PAGE, f"{PAGE}/{webhook.id}", "/account"):
        page = ada.get(path).text
        assert secret not in page
    assert URL in ada.get(PAGE).text
    again = the(soup(ada.post(f"{PAGE}/{webhook.id}/secret")), ".tokens__secret").text
    assert webhooks.secrets_of(backend.vault, the_webhook(backend)) == [again, secret]


@pytest.mark.parametrize("url", ["", "https://10.0.0.1/", "https://example.com:8443/", "javascript:alert(1)"])
def test_an_address_that_may_not_be_used_is_refused_at_the_field(ada: Visitor, url: str) -> None:
    response = ada.post(PAGE, {"url": url})
    assert response.status_code == 422
    assert the(soup(response), "#webhook-url-error").text.strip().endswith(".")
    assert the(soup(response), "#webhook-url")["value"] == url


def test_there_is_a_limit(ada: Visitor, backend: Backend) -> None:
    for _number in range(webhooks.MOST_WEBHOOKS):
        webhooks.create(backend, owner_id(backend, ada.email), URL)
    response = ada.post(PAGE, {"url": URL})
    assert (response.status_code, "Delete one first" in response.text) == (422, True)


def test_the_log_says_what_has_become_of_each_message_and_sends_one_again(ada: Visitor, backend: Backend) -> None:
    created(ada)
    page = f"{PAGE}/{the_webhook(backend).id}"
    cancel_one(backend, ada)
    assert "Waiting" in the(soup(ada.get(page)), ".delivery").text
    try_one(backend, Answer(503, "Answered 503."))
    shown = the(soup(ada.get(page)), ".delivery").text
    assert "Answered 503." in shown
    assert "Next try" in shown
    with backend.database.write() as session:
        session.execute(update(Delivery).values(due_at=utcnow()))
    try_one(backend, Answer(204))
    row = the(soup(ada.get(page)), ".delivery")
    assert "Delivered" in row.text
    assert ada.post(str(the(row, "form")["action"])).status_code == 303
    rows = soup(ada.get(page)).select(".delivery")
    assert [" ".join(the(row, ".state").text.split()) for row in rows] == ["Waiting", "Delivered"]


def test_a_long_log_has_pages(ada: Visitor, backend: Backend) -> None:
    created(ada)
    for _number in range(30):
        cancel_one(backend, ada)
    first = soup(ada.get(f"{PAGE}/{the_webhook(backend).id}"))
    (older,) = [link for link in first.select("#deliveries a") if "Older" in link.text]
    rest = soup(ada.get(str(older["href"])))
    assert (len(first.select(".delivery")), len(rest.select(".delivery"))) == (25, 5)


def test_the_owner_of_a_disabled_webhook_is_told_and_enables_it(ada: Visitor, backend: Backend) -> None:
    created(ada)
    page = f"{PAGE}/{the_webhook(backend).id}"
    cancel_one(backend, ada)
    with backend.database.write() as session:
        session.execute(update(Webhook).values(failing_since=utcnow() - timedelta(days=1)))
    assert "Every try has failed since" in ada.get(page).text
    with backend.database.write() as session:
        session.execute(update(Webhook).values(failing_since=utcnow() - timedelta(days=3)))
    try_one(backend, Answer(problem="The connection failed."))
    assert "Every message failed for three days." in ada.get(page).text
    assert "is disabled" in the(soup(ada.get("/account")), "#webhooks").text
    with backend.database.read() as session:
        delivery_id = session.scalars(select(Delivery.id)).one()
    assert ada.post(f"{page}/deliveries/{delivery_id}/send").status_code == 409
    assert ada.post(f"{page}/enable").status_code == 303
    assert the(soup(ada.get(page)), ".state").text.strip() == "Enabled"


def test_a_webhook_that_is_deleted_is_gone(ada: Visitor, backend: Backend) -> None:
    created(ada)
    page = f"{PAGE}/{the_webhook(backend).id}"
    assert ada.post(f"{page}/delete").status_code == 303
    assert ada.get(page).status_code == 404


@pytest.mark.parametrize("webhook_id", [0, 2**40, 10**30])
def test_an_id_that_nothing_has_is_not_found(ada: Visitor, webhook_id: int) -> None:
    for action in ("secret", "enable", "delete", "deliveries/1/send"):
        assert ada.post(f"{PAGE}/{webhook_id}/{action}").status_code == 404


def test_the_webhooks_of_a_disabled_account_are_told_nothing(app: Flask, ada: Visitor, backend: Backend) -> None:
    created(ada)
    cancel_one(backend, ada)
    users.set_active(backend.database, ada.email, False)
    assert not deliveries.are_due(backend.database)
    cancel_one(backend, ada)
    users.set_active(backend.database, ada.email, True)
    assert (the_webhook(backend).disabled_because, deliveries.are_due(backend.database)) == ("account", False)
