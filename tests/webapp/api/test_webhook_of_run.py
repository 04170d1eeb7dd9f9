"""A webhook for a single run, given by headers with its submission."""

import json

import pytest
from sqlalchemy import func, select

from jobs.runs import deliveries, lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.runs.webhook import Delivery, Webhook
from jobs.runs.webhook_secrets import new_secret
from jobs.runs.webhooks import secrets_of
from tests.support.program import Program

URL = "https://example.com/hook"


def started(program: Program, **headers: str) -> tuple[int, str]:
    """Start a run and return its id and the secret of its webhook."""
    response = program.post("/tasks/reverse_text/runs", {"text": "x"}, **headers)
    assert response.status_code in (200, 201), response.text
    return response.get_json()["id"], response.headers.get("Webhook-Secret", "")


def count(backend: Backend, model: type[object]) -> int:
    with backend.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_run_may_bring_a_webhook_that_is_told_of_it_alone(program: Program, backend: Backend) -> None:
    own = new_secret()
    run_id, secret = started(program, Webhook_URL=URL)
    _other, given = started(program, Webhook_URL=URL, Webhook_Secret=own)
    assert (secret.startswith("whsec_"), given) == (True, own)
    assert started(program)[1] == ""
    held = lease.claim(backend.database, run_id, "worker")
    assert held
    lease.succeed(backend.database, held, "dish")
    claimed = deliveries.claim(backend.database, 60)
    assert claimed
    assert (claimed.delivery.run_id, claimed.webhook.url) == (run_id, URL)
    assert secrets_of(backend.vault, claimed.webhook) == [secret]
    assert deliveries.claim(backend.database, 60) is None


def test_a_message_names_the_run_as_the_api_does(program: Program, backend: Backend) -> None:
    run_id, _secret = started(program, Webhook_URL=URL)
    program.post(f"/runs/{run_id}/cancel")
    with backend.database.read() as session:
        delivery = session.scalars(select(Delivery)).one()
    shown = program.get(f"/runs/{run_id}").get_json()
    body = deliveries.body(delivery, backend.settings)
    for name in ("id", "task", "state", "version", "attempt", "url", "page"):
        assert f'"{name}":' in body.decode()
    data = json.loads(body)["data"]
    assert data == {name: shown[name] for name in data}


def test_repeating_with_a_key_returns_the_secret_again_and_another_webhook_is_refused(
    program: Program, backend: Backend
) -> None:
    first = started(program, Webhook_URL=URL, Idempotency_Key="one")
    assert started(program, Webhook_URL=URL, Idempotency_Key="one") == first
    for headers in ({}, {"Webhook_URL": f"{URL}/other"}):
        response = program.post("/tasks/reverse_text/runs", {"text": "x"}, Idempotency_Key="one", **headers)
        assert (response.status_code, "another Webhook-URL" in response.text) == (422, True)
    assert (count(backend, Run), count(backend, Webhook)) == (1, 1)


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Webhook_URL": "https://10.0.0.1/"}, 422, "Webhook-URL: This address is not public"),
        ({"Webhook_URL": ""}, 422, "Webhook-URL: Enter an address"),
        ({"Webhook_URL": URL, "Webhook_Secret": "whsec_abc"}, 400, "24 to 64 random bytes"),
        ({"Webhook_URL": URL, "Webhook_Secret": "x" * 40}, 400, "24 to 64 random bytes"),
        ({"Webhook_Secret": "whsec_abc"}, 400, "Send a Webhook-URL with it"),
    ],
)
def test_a_bad_webhook_starts_no_run(
    program: Program, backend: Backend, headers: dict[str, str], status: int, words: str
) -> None:
    response = program.post("/tasks/reverse_text/runs", {"text": "x"}, **headers)
    assert (response.status_code, words in response.get_json()["detail"]) == (status, True), response.text
    assert (count(backend, Run), count(backend, Webhook)) == (0, 0)
