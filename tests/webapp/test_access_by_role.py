"""The access matrix by role and group: every address, with a task and a group that are not for everybody."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from jobs.runs import groups
from jobs.runs.backend import Backend
from jobs.runs.people import Role
from tests.conftest import opened
from tests.support.people import make_owner, make_run, owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor
from tests.webapp.test_access import PROVIDER, addresses, fill, tell
from webapp import create_app
from webapp.accounts import users

TASK, TITLE = "reverse_text", "Reverse text"
SENT = {"text": "abc"}
RUN, FILE, HOOK = "<int:run_id>", "<int:run_id>/files/<sha256>", "<int:webhook_id>"
DELIVERY = f"{HOOK}/deliveries/<int:delivery_id>/send"

# Each address, by the kind of thing that it is about.
KINDS = {
    "public": {
        *("/login", "/register", "/reset", "/healthz", "/readyz", "/static/<path:filename>", "/api/client.py"),
        *("/api/v1/tokens", "/login/sso", "/login/sso/callback", "/login/code", "/register/confirm"),
    },
    "own": {
        *("/runs/bulk", "/account/space", "/account/space/uploads/<sha256>/delete"),
        *(
            "/",
            "/pins",
            "/account",
            "/account/delete",
            "/account/export",
            "/account/sso/link",
            "/account/sso/unlink",
            "/account/password",
            "/account/preferences",
            "/account/shortcuts",
            "/account/theme",
            "/palette",
            "/shortcuts",
            "/account/secrets",
            "/account/secrets/<text:name>/delete",
        ),
        *("/account/sessions/<row:number>/end", "/account/sessions/end", "/account/tokens", "/account/webhooks"),
        *("/account/tokens/<row:token_id>/revoke", "/runs", "/live/changes", "/api/docs", "/api/docs/<operation_id>"),
        "/runs/suggestions",
        *(f"/runs/filters{end}" for end in ("", "/<row:filter_id>/rename", "/<row:filter_id>/delete")),
        *("/runs/shared", "/api/openapi.json", "/api/v1/runs", "/api/v1/tasks", "/api/v1/webhooks"),
        *(f"/account/2fa{end}" for end in ("", "/begin", "/codes", "/off", "/on")),
    },
    "link": {
        f"/shared/<text:secret>{end}"
        for end in ("", "/changes", "/table", "/table.csv", "/text", "/log.txt", "/everything.zip", "/files/<sha256>")
    },
    "download": {"/runs/export.csv", "/runs/export.jsonl", "/api/v1/runs.csv", "/api/v1/runs.jsonl"},
    "by mail": {"/account/address", "/account/address/confirm", "/reset/mail"},
    "task": {"/tasks/<name>", "/api/v1/tasks/<name>"},
    "presets": {f"/tasks/<name>/presets{end}" for end in ("", "/<row:preset_id>", "/<row:preset_id>/delete")},
    "running": {"/tasks/<name>/check", "/api/v1/tasks/<name>/runs"},
    "tools": {"/api/mcp"},
    "upload": {"/api/v1/files"},
    "somebody else's": {
        *(f"/account/webhooks/{HOOK}{end}" for end in ("", "/delete", "/enable", "/secret")),
        *(f"/api/v1/webhooks/{HOOK}{end}" for end in ("", "/enable", "/secret", "/deliveries")),
        *(f"/account/webhooks/{DELIVERY}", f"/api/v1/webhooks/{DELIVERY}", f"/runs/{FILE}", f"/api/v1/runs/{FILE}"),
        *(f"/runs/{RUN}{end}" for end in ("", "/table", "/table.csv", "/text", "/log.txt", "/everything.zip")),
        *(f"/runs/{RUN}{end}" for end in ("/cancel", "/delete", "/retry", "/about", "/star")),
        *(f"/runs/bulk/<row:action_id>{end}" for end in ("", "/abort")),
        *(f"/api/v1/runs/{RUN}{end}" for end in ("", "/output", "/result", "/cancel", "/retry")),
        *(f"{api}/runs/{RUN}/shares" for api in ("", "/api/v1")),
        f"/runs/{RUN}/shares/<row:share_id>/revoke",
        f"/api/v1/runs/{RUN}/shares/<row:share_id>",
    },
    "groups": {"/admin/groups/"},
    "group": {f"/admin/groups/<row:group_id>{end}" for end in ("", "/members", "/members/<row:user_id>/remove")},
    "administration": {
        *("/admin/groups/<row:group_id>/delete", "/admin/groups/<row:group_id>/name", "/admin/tasks/"),
        *("/admin/tasks/<name>", "/admin/tasks/<name>/groups", "/admin/audit/", "/admin/audit/audit.csv"),
        *("/admin/users/", "/admin/users/invitations", "/admin/users/invitations/<row:invitation_id>/revoke"),
        *(f"/admin/users/<row:user_id>{end}" for end in ("", "/active", "/groups", "/reset", "/role", "/sessions/end")),
        *(f"/admin/users/<row:user_id>{end}" for end in ("/2fa/reset", "/address", "/cancel", "/caps")),
        *(
            "/admin/workers/",
            "/admin/workers/<text:worker>/drain",
            "/admin/workers/<text:worker>/resume",
            "/admin/pauses/",
        ),
        *("/admin/retention/", "/admin/retention/<row:rule_id>/delete"),
        *("/admin/pauses/resume", "/admin/failures/", "/admin/settings/"),
        *("/admin/shares/", "/admin/shares/<row:share_id>/revoke"),
    },
}
DONE = {200, 201, 204, 303, 400, 409, 415, 422}  # whatever is not a refusal because of who asks
WHO = [(role, inside) for role, inside in product(Role, (True, False)) if inside or role is not Role.ADMINISTRATOR]


def asked() -> list[tuple[str, str, str]]:
    """Return every method and address with its kind. A new address needs a row in KINDS."""
    kind_of = {rule: kind for kind, rules in KINDS.items() for rule in rules}
    tried = [one for one in addresses() if not one[1].startswith("/admin/rq") and one[1] != "/logout"]
    unknown = {rule for _method, rule in tried} - kind_of.keys()
    assert not unknown, f"these addresses have no row in KINDS: {unknown}"
    return [(method, rule, kind_of[rule]) for method, rule in tried]


# The acceptable status codes of a kind for everybody.
ALIKE = {
    "download": DONE | {429},  # one at a time, and the last one was not read to its end
    "by mail": DONE | {403, 404},  # there is no mail here, and no link that was mailed
    "somebody else's": {404},
    "link": {200, 404},  # without its secret; a page of one that has ended is told to load itself again
    "tools": {401},  # a session means nothing there
    "public": DONE | {302, 403, 404, 429, 503},
}


def expected(role: Role, inside: bool, kind: str, method: str) -> set[int]:
    """Return the acceptable status codes."""
    boss, manages = role is Role.ADMINISTRATOR, role in (Role.MANAGER, Role.ADMINISTRATOR)
    viewers = {403} if role is Role.VIEWER else DONE
    match kind:
        case "task" | "running":
            seen = viewers if kind == "running" or method == "POST" else DONE
            return seen if inside or boss else {404}
        case "presets":
            return expected(role, inside, "running", method) | ({404} if role is not Role.VIEWER else set())
        case "upload":
            return viewers
        case "group":
            return {403} if not manages else DONE if inside or boss else {404}
        case "groups":
            return DONE if boss or (manages and method == "GET") else {403}
        case "administration":
            return DONE | {404} if boss else {403}  # 404 about a user who does not exist
    return ALIKE.get(kind, DONE)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Backend]:
    with opened(tmp_path_factory.mktemp("roles"), redis_url, empty_database, **PROVIDER) as one:
        yield one


def test_everybody_gets_what_their_role_and_groups_allow(backend: Backend) -> None:
    app, database = create_app(backend), backend.database
    finance = groups.create(database, "finance").id
    groups.set_for_task(database, TASK, [finance])
    stranger = make_owner(backend)
    run, delivery = make_run(backend, stranger, task="factorise"), tell(backend, "owner@example.com")
    rows = asked()
    wrong = []
    for role, inside in WHO:
        email = f"{role}-{'inside' if inside else 'outside'}@example.com"
        visitor, program = Visitor(app).registered(email), Program.signed_in(app, email)
        user_id, closed = owner_id(backend, email), not inside and role is not Role.ADMINISTRATOR
        users.set_role(database, user_id, role)
        if inside:
            groups.add_member(database, finance, user_id)
        for method, rule, kind in rows:
            groups.add_member(database, finance, stranger)
            user = str(stranger if "/members/" in rule else 0)
            filled = rule.replace("<row:group_id>", str(finance)).replace("<row:user_id>", user)
            path, sent = fill(filled, run.id, delivery), [SENT] if method == "POST" else []
            asks = program if rule.startswith("/api/v1/") else visitor
            response = getattr(asks, method.lower())(path.removeprefix("/api/v1"), *sent)
            leaks = closed and any(text in response.data for text in (TASK.encode(), TITLE.encode()))
            if leaks or response.status_code not in expected(role, inside, kind, method):
                wrong.append((email, method, rule, response.status_code, leaks))
    assert not wrong, "who, where, the status, and whether the task's name is shown to somebody who does not see it"
