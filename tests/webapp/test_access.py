"""The access matrix: every address of the application, for everybody who may knock."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from werkzeug.routing import Rule

from config import Settings
from jobs.authoring.catalog import Catalog
from jobs.runs import lease
from jobs.runs.backend import Backend, open_backend
from jobs.runs.webhook import Delivery, Webhook
from jobs.storage.database import utcnow
from tests.conftest import opened
from tests.support.people import note_file, owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor
from webapp import create_app
from webapp.accounts import tokens, users
from webapp.accounts.tokens import Grant

People = dict[str, Visitor]

SIGN_IN_ENDS = "/login/sso/callback"
WITH_LINKS = {"/reset", "/register/confirm"}
PUBLIC = {
    *WITH_LINKS,
    SIGN_IN_ENDS,
    "/login/sso",
    "/login",
    "/register",
    "/reset/mail",
    "/healthz",
    "/readyz",
    "/static/<path:filename>",
    "/api/client.py",
}
LINKS = "/shared/"
API = "/api/v1/"
MCP = "/api/mcp"
SIGN_IN = "/api/v1/tokens"
ADMIN = "/admin/"
SECRET = "only the owner may read this"
AWAY = "http://127.0.0.1:1"
PROVIDER = {"oidc_issuer": AWAY, "oidc_client_id": "dumbwaiter"}
VISITORS = ("anonymous", "owner", "other", "administrator")
PROGRAMS = ("without a token", "without a scope", "owner", "other", "administrator")


OF_WHO_SIGNED_IN = {
    "/runs/bulk": {400, 404},  # which action and which runs, nobody says here
    "/tasks/<name>/presets/<row:preset_id>": {404},
    "/account/address": {403, 404},  # without a link, and where no mail is sent
    "/account/2fa/on": {200, 204, 303, 409, 422},
}


def addresses() -> list[tuple[str, str]]:
    """Every method and address; made from the rules of an application that is never asked anything."""
    settings = Settings.model_validate({"redis_url": "redis://127.0.0.1:1", "secret_key": "x" * 32, **PROVIDER})
    app = create_app(open_backend(settings, Catalog({})))
    rules: list[Rule] = [rule for rule in app.url_map.iter_rules() if not rule.websocket]
    methods = ((rule, method) for rule in rules for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
    return sorted({(method, rule.rule) for rule, method in methods})


def expected(who: str, method: str, rule: str) -> set[int]:
    """Return the acceptable status codes for a visitor at an address."""
    if rule == SIGN_IN_ENDS:
        return {400}
    if rule.startswith(LINKS):  # without the secret of a link; what one shows is tried in tests/webapp/sharing
        return {200} if rule.endswith("/changes") else {404}
    if rule in PUBLIC:
        return {403} if rule in WITH_LINKS else {200, 302, 303, 404, 422, 503}
    if rule.startswith(API) or rule == MCP:
        return {415} if rule == SIGN_IN else {401}  # a session means nothing there
    if rule == "/api/openapi.json" and who == "anonymous":
        return {401}
    tidied = {308} if rule.startswith(ADMIN) else set()  # routing may tidy an address before anybody is asked
    if who == "anonymous":
        return {302, 303, 401} | tidied if rule == "/live/changes" else {302, 303} | tidied
    if rule.startswith(ADMIN):
        return {200, 303, 404, 405, 422} | tidied if who == "administrator" else {403} | tidied
    if "<int:run_id>" in rule or "<int:webhook_id>" in rule:
        return {200, 303, 409, 422} if who == "owner" else {404}
    beginnings = (codes for start, codes in OF_WHO_SIGNED_IN.items() if rule.startswith(start))
    return next(beginnings, {200, 204, 303, 422})


def expected_of_program(who: str, method: str, rule: str) -> set[int]:
    """Return the acceptable status codes for a program at an address of the API."""
    if rule == SIGN_IN:
        return {422}
    if who == "without a token":
        return {401}
    if who == "without a scope":
        return {403}
    if "<int:run_id>" in rule or "<int:webhook_id>" in rule:
        without = {404} if "<row:share_id>" in rule else {422} if rule.endswith("/shares") else set[int]()
        return {200, 201, 202, 204, 409} | without if who == "owner" else {404}
    return {200, 400, 422}


def fill(rule: str, run_id: int, delivery: Delivery) -> str:
    values = {
        "<int:webhook_id>": str(delivery.webhook_id),
        "<int:delivery_id>": str(delivery.id),
        "<int:run_id>": str(run_id),
        "<name>": "reverse_text",
        "<text:name>": "API_TOKEN",
        "<path:filename>": "js/live.js",
        "<int:instance_number>": "0",
        "<queue_name>": "runs",
        "<registry_name>": "queued",
        "<job_id>": f"run-{run_id}-1",
        "<row:token_id>": "0",
        "<row:preset_id>": "0",
        "<row:user_id>": "0",
        "<text:worker>": "none",
        "<row:group_id>": "0",
        "<row:number>": "0",
        "<row:rule_id>": "0",
        "<row:filter_id>": "0",
        "<row:share_id>": "0",
        "<text:secret>": "guess",
        "<row:action_id>": "0",
        "<row:invitation_id>": "0",
        "<int:per_page>": "8",
        "<per_page>": "8",
        "<order>": "asc",
        "<int:page>": "1",
        "<page>": "1",
        "<operation_id>": "runs",
        "<sha256>": hashlib.sha256(SECRET.encode()).hexdigest(),
    }
    for placeholder, value in values.items():
        rule = rule.replace(placeholder, value)
    assert "<" not in rule, f"the test knows no value for {rule}"
    return rule


def tell(backend: Backend, email: str) -> Delivery:
    """Return a message to the only webhook of a user's."""
    ada = owner_id(backend, email)
    values = {"message_id": "msg_1", "run_id": 1, "task": SECRET, "event": "run.failed", "version": 2, "attempt": 1}
    with backend.database.write() as session:
        session.execute(delete(Webhook).where(Webhook.owner_id == ada))
        webhook = Webhook(owner_id=ada, url="https://example.com/", encrypted_secrets="")
        session.add(webhook)
        session.flush()
        delivery = Delivery(webhook_id=webhook.id, owner_id=ada, created_at=utcnow(), **values)
        session.add(delivery)
    return delivery


def finish(backend: Backend, run_id: int, result: object) -> None:
    run = lease.claim(backend.database, run_id, "worker")
    assert run
    assert lease.succeed(backend.database, run, result)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[People]:
    with opened(tmp_path_factory.mktemp("access"), redis_url, empty_database, **PROVIDER) as backend:
        app = create_app(backend)
        boss = Visitor(app).registered("boss@example.com")
        users.set_admin(backend.database, "boss@example.com", True)
        ada, ben = (Visitor(app).registered(f"{name}@example.com") for name in ("ada", "ben"))
        yield {"anonymous": Visitor(app), "owner": ada, "other": ben, "administrator": boss}


@pytest.fixture(scope="module")
def programs(people: People) -> dict[str, Program]:
    app, ada = people["owner"].client.application, people["owner"].email
    found = {who: Program.signed_in(app, people[who].email) for who in ("owner", "other", "administrator")}
    backend = backend_of(people["owner"])
    _token, nothing = tokens.create(backend.database, owner_id(backend, ada), Grant("nothing", ("none",)))
    return {**found, "without a token": Program(app), "without a scope": Program(app, nothing)}


@pytest.mark.parametrize(("method", "rule"), [address for address in addresses() if address[1].startswith(API)])
@pytest.mark.parametrize("who", PROGRAMS)
def test_every_program_gets_what_its_token_allows(
    people: People, programs: dict[str, Program], who: str, method: str, rule: str
) -> None:
    run_id = people["owner"].submit("reverse_text", text=SECRET)
    note_file(backend_of(people["owner"]), run_id, SECRET.encode(), "text/plain")
    path = fill(rule, run_id, tell(backend_of(people["owner"]), people["owner"].email)).removeprefix("/api/v1")
    response = getattr(programs[who], method.lower())(path)
    assert response.status_code in expected_of_program(who, method, rule)
    if who != "owner":
        assert SECRET.encode() not in response.data


@pytest.mark.parametrize("who", PROGRAMS)
def test_every_program_uses_the_tools_that_its_token_allows(
    people: People, programs: dict[str, Program], who: str
) -> None:
    run_id = people["owner"].submit("reverse_text", text=SECRET)
    finish(backend_of(people["owner"]), run_id, SECRET)
    parameters = {"name": "get-run", "arguments": {"id": run_id}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}
    headers = {"Authorization": f"Bearer {programs[who].token}"}
    response = programs[who].client.post(MCP, json=message, headers=headers)
    assert response.status_code == {"without a token": 401, "without a scope": 403}.get(who, 200)
    assert (SECRET in response.text) == (who == "owner")


@pytest.mark.parametrize(("method", "rule"), [address for address in addresses() if address[1] != "/logout"])
@pytest.mark.parametrize("who", VISITORS)
def test_everybody_gets_what_is_theirs(people: People, who: str, method: str, rule: str) -> None:
    run_id = people["owner"].submit("reverse_text", text=SECRET)
    backend = backend_of(people["owner"])
    note_file(backend, run_id, SECRET.encode(), "text/plain")
    if "table" in rule:
        finish(backend, run_id, [{"text": SECRET}])
    if rule.endswith("/text"):
        finish(backend, run_id, SECRET)
    path = fill(rule, run_id, tell(backend, people["owner"].email))
    response = getattr(people[who], method.lower())(path)
    assert response.status_code in expected(who, method, rule)
    if who != "owner":
        assert SECRET.encode() not in response.data


def test_no_address_of_the_dashboard_changes_anything_by_get(people: People) -> None:
    boss = people["administrator"]
    assert boss.get("/admin/rq/").status_code == 200
    assert boss.get("/admin/rq/requeue/runs").status_code == 405
    assert boss.post("/admin/rq/requeue/runs").status_code == 200


def test_the_dashboard_answers_not_found_for_what_is_not_there(people: People) -> None:
    boss = people["administrator"]
    assert boss.get("/admin/rq/0/view/job/run-999-1").status_code == 404
    assert boss.get("/admin/rq/7/view/workers").status_code == 404


def test_the_dashboard_reads_a_busy_worker(people: People) -> None:
    boss = people["administrator"]
    run_id = people["owner"].submit("reverse_text", text="hello")
    redis, name = backend_of(boss).redis, f"rq:worker:busy{run_id}"
    redis.hset(
        name, mapping={"queues": "runs", "state": "busy", "current_job": f"run-{run_id}-1", "birth": "", "pid": 1}
    )
    redis.sadd("rq:workers", name)
    response = boss.get("/admin/rq/0/data/workers.json")
    assert response.status_code == 200
    assert response.get_json()["workers"][0]["state"] == "busy"


def backend_of(visitor: Visitor) -> Backend:
    found: Backend = visitor.client.application.extensions["dumbwaiter"]
    return found


def test_the_dashboard_shows_nothing_of_what_users_write(people: People) -> None:
    run_id = people["owner"].submit("reverse_text", text="<script>alert(1)</script>")
    told = people["administrator"].get(f"/admin/rq/0/data/job/run-{run_id}-1.json").get_json()
    assert told["description"] == "a run"
    assert "alert" not in str(told)
