"""Hostile requests and sockets: none is an error of the server, and it goes on serving others."""

import random
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient

from jobs.runs import groups
from tests.conftest import opened
from tests.faults.scale import scale
from tests.support.frames import frame
from tests.support.hostile import TEXTS, VALUES, Hostility, clean
from tests.support.people import note_file, owner_id
from tests.support.person import Person
from tests.support.provider import Provider
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD, Visitor
from tests.support.waiting import PATIENCE_SECONDS
from tests.webapp.conftest import CompiledTemplates
from webapp import create_app
from webapp.accounts import tokens, users
from webapp.accounts.tokens import Grant

REQUESTS = scale(10_000, 450)
SOCKETS = scale(1_000, 25)
WARM_SHARE = 0.3  # of the requests: after these, what is kept for all others has been loaded
MOST_GROWTH_BYTES = scale(30_000_000, 60_000_000)
NOT_IMPLEMENTED = 501
SEED = 20_26  # the same requests each time
NAMES = {"page", "by", "order", "run", "state", "limit", "since", "shown", "example", "next", "owner", "before", "q"}
NAMES |= {"output", "invitation", "link", "code", "wait", "version", "confirm", "confirm_password", "method", "params"}
NAMES |= {"jsonrpc", "id", "arguments", "parameters", "webhook", "password", "email", "url"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Flask]:
    """An application with every address that there can be, also those of a provider's sign-in."""
    with Provider() as provider, opened(tmp_path_factory.mktemp("hostile"), redis_url, empty_database) as backend:
        settings = backend.settings.model_copy(update={**provider.settings(), "registration": "open"})
        made = create_app(replace(backend, settings=settings))
        made.jinja_env.bytecode_cache = CompiledTemplates()
        yield made
        made.extensions["hub"].end()


class Crowd:
    """A stranger, a member and an administrator with their browsers, and programs of the two with and without rights.

    Whoever was logged out, or has deleted the account, comes back.
    """

    def __init__(self, app: Flask) -> None:
        self.app, self.database = app, app.extensions["dumbwaiter"].database
        self.clients: list[FlaskClient] = []
        self.come_back()

    def come_back(self) -> None:
        programs = []
        for email in ("ada@example.com", "boss@example.com"):
            user = users.with_email(self.database, email) or users.create(self.database, email, PASSWORD)
            users.set_active(self.database, email, True)
            users.set_admin(self.database, email, email.startswith("boss"))
            users.set_password(self.database, user.id, PASSWORD)
            _token, secret = tokens.create(self.database, user.id, Grant("hostile"), replaces=True)
            program = self.app.test_client(use_cookies=False)
            program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
            programs.append(program)
        people = [Visitor(self.app) for _ in range(3)]
        for person, email in zip(people[1:], ("ada@example.com", "boss@example.com"), strict=True):
            person.post("/login", {"email": email, "password": PASSWORD})
        self.clients = [*(person.client for person in people), *programs]


@pytest.mark.timeout(scale(1800, 300))
def test_no_request_is_an_error_of_the_server(app: Flask) -> None:
    crowd, backend = Crowd(app), app.extensions["dumbwaiter"]
    boss = Visitor(app)
    boss.client = crowd.clients[2]
    run_id = boss.submit("reverse_text", text="ab")
    file = note_file(backend, run_id, b"content", "text/plain")
    group = groups.create(backend.database, "finance").id
    ids = [str(one) for one in (run_id, group, owner_id(backend, "ada@example.com"), file.sha256, "reverse_text")]
    rules = [rule for rule in app.url_map.iter_rules() if not rule.websocket and rule.endpoint != "health.readyz"]
    hostility = Hostility(SEED, rules, ids, NAMES | field_names(boss))
    errors, answers, begun = [], 0, 0
    while answers < REQUESTS:
        if answers % 100 == 0:
            crowd.come_back()
        if answers == int(REQUESTS * WARM_SHARE):
            begun = psutil.Process().memory_info().rss
        method, path, options = hostility.request()
        with suppress(UnicodeError):  # what the test client cannot even write
            answer = hostility.chance.choice(crowd.clients).open(path, method=method, **options)
            answers += 1
            if answer.status_code >= 500 and answer.status_code != NOT_IMPLEMENTED:
                errors.append((answers, answer.status_code, method, path, options))
            answer.close()
    grown = psutil.Process().memory_info().rss - begun
    print(f"{answers} answers, {len(errors)} of 500 or more, memory grown by {grown / 1e6:.1f} MB")
    assert errors == []
    assert grown < MOST_GROWTH_BYTES


def field_names(boss: Visitor) -> set[str]:
    """Return the names of the fields of the forms that an administrator sees."""
    pages = ["/account", "/tasks/reverse_text", "/tasks/count_words", "/runs", "/api/docs"]
    pages += [f"/admin/{name}/" for name in ("users", "groups", "pauses", "audit")] + ["/admin/users/1"]
    return {name for page in pages for name in re.findall(r'\bname="([^"]+)"', boss.get(page).text)}


def test_no_socket_is_an_error_of_the_server(stack: Stack, ada: Person) -> None:
    chance = random.Random(SEED)
    begun = memory_of_web(stack)
    answers = [told(chance, stack, ada) for _ in range(SOCKETS)]
    grown = memory_of_web(stack) - begun
    errors = [status for status in answers if status[:1] == b"5" and status != b"501"]
    print(f"{len(answers)} sockets, {len(errors)} answers of 500 or more, memory grown by {grown / 1e6:.1f} MB")
    assert errors == []
    assert grown < MOST_GROWTH_BYTES
    assert ada.get("/").select_one("h1")


def memory_of_web(stack: Stack) -> int:
    """Return the memory of the processes that serve pages."""
    started = psutil.Process(stack.process.pid).children(recursive=True)
    return sum(one.memory_info().rss for one in started if any("gunicorn" in word for word in one.cmdline()))


def told(chance: random.Random, stack: Stack, ada: Person) -> bytes:
    """Open a socket with a strange handshake, send strange frames, and return the status of the answer."""
    headers = {
        "Host": f"127.0.0.1:{stack.port}",
        "Origin": ada.origin,
        "Cookie": ada.cookie,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    if chance.random() < 0.5:
        headers[chance.choice(list(headers))] = clean(chance.choice((*VALUES, *TEXTS)))
    query = chance.choice(
        ("", "?owner=x", "?shown=1.1,2.x&more=1", "?since=x", "?run=99999999999999999999", "?limit=-1")
    )
    with socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE_SECONDS) as end, suppress(OSError):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        end.sendall(f"GET /live{query} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        status = end.recv(12)[9:12]
        for _ in range(chance.randrange(5)):
            strange = chance.random() < 0.5
            end.sendall(
                chance.randbytes(300)
                if strange
                else frame(
                    chance.randrange(16),
                    chance.randbytes(chance.choice((0, 1, 130, 70_000))),
                    final=chance.random() < 0.7,
                    masked=chance.random() < 0.8,
                    reserved=chance.randrange(8),
                )
            )
        return status
    return b""
