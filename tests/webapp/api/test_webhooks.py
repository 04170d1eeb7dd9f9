"""Webhooks over the API."""

from flask import Flask

from jobs.runs import deliveries, webhooks
from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor
from webapp.accounts import tokens
from webapp.accounts.tokens import RUNS_WRITE, WEBHOOKS, Grant

URL = "https://example.com/hook"


def test_a_program_creates_lists_rotates_and_deletes_webhooks(program: Program, backend: Backend) -> None:
    response = program.post("/webhooks", {"url": URL})
    assert response.status_code == 201
    made = response.get_json()
    secret = made.pop("secret")
    path = f"/webhooks/{made['id']}"
    assert response.headers["Location"] == f"/api/v1{path}"
    assert program.get("/webhooks").get_json() == {"webhooks": [made]}
    assert program.get(path).get_json() == made
    rotated = program.post(f"{path}/secret").get_json()["secret"]
    assert rotated != secret
    assert program.post(f"{path}/enable").get_json() == made
    assert (program.delete(path).status_code, program.get(path).status_code) == (204, 404)


def test_the_log_is_read_in_pages_and_a_message_is_sent_again(program: Program, backend: Backend) -> None:
    path = f"/webhooks/{program.post('/webhooks', {'url': URL}).get_json()['id']}/deliveries"
    for _number in range(3):
        program.post(f"/runs/{program.submit('reverse_text', text='x')['id']}/cancel")
    first = program.get(f"{path}?limit=2")
    assert len(first.get_json()["deliveries"]) == 2
    following = first.headers["Link"].partition(">")[0].removeprefix("</api/v1")
    (last,) = program.get(following).get_json()["deliveries"]
    assert (last["type"], last["tries"], last["delivered_at"]) == ("run.cancelled", 0, None)
    claimed = deliveries.claim(backend.database, 60)
    assert claimed
    deliveries.record(backend.database, claimed, deliveries.Answer(200))
    assert program.post(f"{path}/{claimed.delivery.id}/send").status_code == 202
    newest = program.get(path).get_json()["deliveries"][0]
    assert (newest["message_id"], newest["due_at"] is None) == (claimed.delivery.message_id, False)
    assert program.post(f"{path}/0/send").status_code == 404


def test_bad_addresses_and_too_many_are_refused_in_words(app: Flask, program: Program, backend: Backend) -> None:
    for body in ({}, {"url": 1}, {"url": "https://127.0.0.1/"}, {"url": "ftp://example.com/"}):
        response = program.post("/webhooks", body)
        assert (response.status_code, response.get_json()["errors"][0]["pointer"]) == (422, "/url")
    for _number in range(webhooks.MOST_WEBHOOKS):
        assert program.post("/webhooks", {"url": URL}).status_code == 201
    assert program.post("/webhooks", {"url": URL}).status_code == 409


def test_a_token_needs_the_scope_and_must_be_for_all_tasks(app: Flask, ada: Visitor, backend: Backend) -> None:
    def with_grant(*scopes: str, tasks: tuple[str, ...] = ()) -> Program:
        me = owner_id(backend, ada.email)
        return Program(app, tokens.create(backend.database, me, Grant("a test", scopes, tasks))[1])

    assert with_grant(WEBHOOKS).post("/webhooks", {"url": URL}).status_code == 201
    assert with_grant(RUNS_WRITE).post("/webhooks", {"url": URL}).status_code == 403
    assert with_grant(WEBHOOKS, tasks=("reverse_text",)).get("/webhooks").status_code == 403
