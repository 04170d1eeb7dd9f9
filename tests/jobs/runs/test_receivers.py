"""The addresses that webhooks may be sent to: a table of those that may not, and how it looks from outside."""

import ipaddress
import socket
from typing import Any

import pytest

import config
from config import ConfigError, Settings
from jobs.runs import receivers
from jobs.runs.receivers import NoAddress, RefusedReceiver
from tests.conftest import settings_for
from tests.support.forbidden import FORBIDDEN, PUBLIC


def settings(allow: str = "", app_env: str = "production") -> Settings:
    return Settings.model_validate({"webhook_allow": allow, "app_env": app_env, "secret_key": "x" * 32})


def literal(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


def resolving_to(*found: str) -> Any:
    """Return a resolver that answers every question with these addresses."""

    def resolve(host: str, port: int, **_options: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    return resolve


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_address_that_is_not_public_is_allowed_written_or_resolved(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedReceiver):
        receivers.parse(literal(address), settings())
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(address))
    with pytest.raises(NoAddress):
        receivers.addresses(receivers.parse("https://example.com/", settings()), settings())


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert receivers.parse(literal(address), settings()).port == 443


def test_of_a_name_with_several_addresses_only_public_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("10.0.0.1", "8.8.8.8", "::1", "fe80::1%lo"))
    found = receivers.addresses(receivers.parse("https://example.com/", settings()), settings())
    assert found == [ipaddress.ip_address("8.8.8.8")]


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "https://example.com:8443/", "https://example.com:80/", "https://example.com:0/"),
        *("ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/", "example.com", ""),
        *("https://", "https:///x", "https://:443/", "https://user:password@example.com/", "https://x@example.com/"),
        *("https://example.com/#part", "https://example.com/a b", "https://example.com/\r\nX: y", "https://a\\b.com/"),
        *(
            "https://example.com:99999/",
            "https://exämple.com/",
            "https://example.com/ä",
            "https://[::1",
            "https://[x]/",
        ),
        *("https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0177.0.0.1/", "https://0x7f.1/"),
        *("https://localhost/", "https://localhost./", "https://a.localhost/", "https://intranet/", "https://①.com/"),
        *("https://-a.com/", "https://a..com/", "https://*.com/", "https://" + "a" * 2000 + ".com/"),
        *("https://[fe80::1%25eth0]/", "https://[::ffff:10.0.0.1]/", "https://10.0.0.1./"),
    ],
)
def test_odd_urls_are_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(RefusedReceiver) as refused:
        receivers.parse(url, settings())
    assert str(refused.value).endswith(".")


def test_outside_production_public_receivers_may_do_without_tls() -> None:
    assert receivers.parse("http://example.com/", settings(app_env="development")).port == 80


def test_the_operator_allows_internal_receivers_by_network_name_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("10.1.2.3"))
    allowing = settings("10.0.0.0/8, [fd00::/8]:8080, hooks.internal:9000")
    for url in ("http://10.1.2.3/", "https://10.1.2.3/x?y=z", "http://[fd00::1]:8080/", "http://hooks.internal:9000/"):
        receivers.parse(url, allowing)
    for url in ("http://10.1.2.3:8080/", "https://[fd00::1]/", "http://hooks.internal:9001/", "https://192.168.0.1/"):
        with pytest.raises(RefusedReceiver):
            receivers.addresses(receivers.parse(url, allowing), allowing)
    named = receivers.parse("http://hooks.internal:9000/", allowing)
    assert list(map(str, receivers.addresses(named, allowing))) == ["10.1.2.3"]
    assert list(map(str, receivers.addresses(receivers.parse("https://example.com/", allowing), allowing)))
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("192.168.0.1"))
    with pytest.raises(NoAddress):
        receivers.addresses(receivers.parse("https://example.com/", allowing), allowing)


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "a b", "x:0", "x:70000", "1.2.3", "http://x", "*", "10.0.0.0/40"])
def test_a_bad_entry_stops_the_start_with_its_name(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOW", f"10.0.0.0/8,{entry}")
    with pytest.raises(ConfigError, match=r"^WEBHOOK_ALLOW: .*"):
        config.load()


def test_nothing_is_allowed_by_default() -> None:
    assert settings_for(config.ROOT).webhook_allow == ()
