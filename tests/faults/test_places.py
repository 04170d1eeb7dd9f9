"""Limits for each address, with connections from different ones: all of 127.0.0.0/8 is this machine's.

Addresses of other networks are told by the tests as a trusted proxy in front tells them.
"""

import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest

from tests.support.stack import Stack
from tests.support.visitor import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS
from webapp.accounts import throttle, users
from webapp.connections import MOST_AT_ONCE

ADA, BEN = "ada@example.com", "ben@example.com"
MAILING = {"MAIL_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "dw@example.org", "REGISTRATION": "open"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("places"), TRUSTED_PROXIES="1", WORKERS="0", **MAILING) as running:
        backend = running.backend()
        for email in (ADA, BEN):
            users.create(backend.database, email, PASSWORD)
        backend.database.close()
        yield running


def post(stack: Stack, path: str, form: dict[str, str], source: str = "127.0.0.1", told: str = "") -> int:
    """Send a form from an address, or as a proxy that tells of another, and return the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, PATIENCE_SECONDS, source_address=(source, 0))
    headers = {"Origin": stack.url, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(form), headers | ({"X-Forwarded-For": told} if told else {}))
    status = connection.getresponse().status
    connection.close()
    return status


def log_in(stack: Stack, email: str, password: str, source: str = "127.0.0.1", told: str = "") -> int:
    return post(stack, "/login", {"email": email, "password": password}, source, told)


def test_guesses_from_an_address_end_there_and_keep_nobody_else_out(stack: Stack) -> None:
    guesses = [log_in(stack, ADA, f"guess {number}", "127.0.0.2") for number in range(throttle.MOST_PER_PAIR + 1)]
    assert guesses == [422] * throttle.MOST_PER_PAIR + [429]
    assert log_in(stack, ADA, PASSWORD, "127.0.0.2") == 429
    assert log_in(stack, ADA, PASSWORD, "127.0.0.3") == 303
    assert log_in(stack, BEN, PASSWORD, "127.0.0.2") == 303


def test_guesses_from_one_ipv6_network_count_together(stack: Stack) -> None:
    guesses = [
        log_in(stack, BEN, "wrong", told=f"2001:db8:1:2::{number:x}") for number in range(throttle.MOST_PER_PAIR + 1)
    ]
    assert guesses == [422] * throttle.MOST_PER_PAIR + [429]
    assert log_in(stack, BEN, PASSWORD, told="2001:db8:1:2:ffff::1") == 429
    assert log_in(stack, BEN, PASSWORD, told="2001:db8:1:3::1") == 303
    forged = "2001:db8:1:9::1, 2001:db8:1:2::1"  # what a visitor claims comes before what the proxy has seen
    assert log_in(stack, BEN, PASSWORD, told=forged) == 429


@pytest.mark.parametrize(("path", "other"), [("/register", "/reset/mail"), ("/reset/mail", "/register")])
def test_registrations_and_resets_are_counted_by_address_and_apart(stack: Stack, path: str, other: str) -> None:
    place = f"198.51.100.{len(path)}"

    def ask(number: int) -> int:
        return post(stack, path, {"email": f"new{number}{path.strip('/')[:3]}@example.com"}, told=place)

    with ThreadPoolExecutor(throttle.MOST_REGISTRATIONS) as visitors:
        assert set(visitors.map(ask, range(throttle.MOST_REGISTRATIONS))) == {200}
    assert ask(99) == 429
    assert post(stack, path, {"email": "x@example.com"}, told="198.51.100.200") == 200
    assert post(stack, other, {"email": "y@example.com"}, told=place) == 200


def test_one_network_cannot_hold_all_connections(stack: Stack) -> None:
    def hold(told: str) -> socket.socket:
        """Send a request whose body does not come."""
        end = socket.create_connection(("127.0.0.1", stack.port), PATIENCE_SECONDS, source_address=("127.0.0.4", 0))
        head = f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\nOrigin: {stack.url}\r\n"
        kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n"
        end.sendall(f"{head}{kind}X-Forwarded-For: {told}\r\n\r\n".encode())
        return end

    with ExitStack() as ending:
        for number in range(MOST_AT_ONCE):
            ending.enter_context(hold(f"2001:db8:2:2::{number:x}"))
        one_more = ending.enter_context(hold("2001:db8:2:2:ffff::1"))
        assert one_more.recv(12)[9:12] == b"429"
        assert log_in(stack, ADA, PASSWORD, told="2001:db8:2:3::1") == 303
        assert log_in(stack, ADA, PASSWORD, "127.0.0.5") == 303
