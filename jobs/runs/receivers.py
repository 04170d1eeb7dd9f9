"""The addresses that webhooks may be sent to.

Users choose where the server sends requests, so nothing inside its network may be reached that way: no address that is
not public, no port but those of HTTP, and no name that resolves to such an address at the moment of sending. The
sender connects to the address that was checked, so a name that resolves to something else a moment later is harmless.
WEBHOOK_ALLOW makes exceptions for receivers that the operator knows.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from config import HOST_NAME, InternalReceiver, Settings
from jobs.runs.webhook import LONGEST_URL

Address: TypeAlias = IPv4Address | IPv6Address

PORTS = {"https": 443, "http": 80}
PRINTABLE = re.compile(r"[!-~]+")
LIKE_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
MOST_ADDRESSES = 4

# Addresses that `ipaddress` calls global, in some version of Python, although they lead elsewhere: special purposes,
# 6to4, Teredo and everything else below 2001::/23, documentation, relays, and multicast.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15"),
        *("224.0.0.0/4", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
# All other IPv6 addresses are local, embed an IPv4 address (mapped, NAT64), or are not assigned.
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


class RefusedReceiver(ValueError):
    """A URL that no webhook may have; the message says why and what to do."""


class NoAddress(Exception):
    """A receiver without an address that may be used; the message says why."""


@dataclass(frozen=True)
class Receiver:
    """Where to connect, and what to ask for."""

    secure: bool
    host: str
    port: int
    authority: str
    target: str


def parse(url: str, settings: Settings) -> Receiver:
    """Return the receiver that a URL names. Raises RefusedReceiver if it may not be used, as far as it shows."""
    if len(url) > LONGEST_URL:
        raise RefusedReceiver(f"Use at most {LONGEST_URL:,} characters.")
    parts, port = _split(url)
    host = (parts.hostname or "").removesuffix(".")
    receiver = Receiver(parts.scheme == "https", host, port, _authority(parts), _target(parts))
    literal = _literal(host)
    if literal is None and not _is_name(host):
        raise RefusedReceiver("Enter an address with a valid host, such as https://example.com/hook.")
    if literal is not None and not may_reach(receiver, literal, settings):
        raise RefusedReceiver(_refusal(receiver, settings, "This address is not public, so nothing is sent there."))
    if literal is None and not _may_resolve(receiver, settings):
        raise RefusedReceiver(_refusal(receiver, settings, "This name is not public, so nothing is sent there."))
    return receiver


def addresses(receiver: Receiver, settings: Settings) -> list[Address]:
    """Resolve a receiver's name and return the addresses that may be connected to. Raises NoAddress if none may."""
    try:
        found = socket.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAddress("The name could not be resolved.") from None
    resolved = dict.fromkeys(one for *_, place in found if (one := _literal(str(place[0]))) is not None)
    allowed = [one for one in resolved if may_reach(receiver, one, settings)]
    if not allowed:
        raise NoAddress("The address is not public.")
    return allowed[:MOST_ADDRESSES]


def may_reach(receiver: Receiver, address: Address, settings: Settings) -> bool:
    """Return whether a message to a receiver may be sent to an address."""
    if any(_is_internal(entry, receiver, address) for entry in settings.webhook_allow):
        return True
    usual = receiver.port == PORTS["https" if receiver.secure else "http"]
    return usual and (receiver.secure or not settings.production) and is_public(address)


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public Internet."""
    if isinstance(address, IPv6Address) and (address.scope_id or address not in GLOBAL_UNICAST):
        return False
    return address.is_global and not any(address in network for network in NOT_PUBLIC)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url) if PRINTABLE.fullmatch(url) and "\\" not in url else None
        port = parts.port if parts else None
    except ValueError:
        parts = port = None
    if parts is None or parts.scheme not in PORTS or not parts.netloc:
        raise RefusedReceiver("Enter an address such as https://example.com/hook, in ASCII and without spaces.")
    if "@" in parts.netloc or "#" in url:
        raise RefusedReceiver("Enter the address without a user name, a password and a fragment.")
    return parts, PORTS[parts.scheme] if port is None else port


def _authority(parts: SplitResult) -> str:
    return parts.netloc.lower()


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """Return whether a host is a name. One that ends in a number is read as an IPv4 address by resolvers."""
    return HOST_NAME.fullmatch(host) is not None and not LIKE_A_NUMBER.fullmatch(host.rpartition(".")[2])


def _may_resolve(receiver: Receiver, settings: Settings) -> bool:
    """Return whether a name can lead to an address that may be used: one of an entry, or a public one."""
    entries = [entry for entry in settings.webhook_allow if _has_port(entry, receiver.port)]
    if any(entry.name == receiver.host or entry.network for entry in entries):
        return True
    if receiver.port != PORTS["https" if receiver.secure else "http"] or (settings.production and not receiver.secure):
        return False
    return "." in receiver.host and not receiver.host.endswith(".localhost")


def _refusal(receiver: Receiver, settings: Settings, otherwise: str) -> str:
    """Return what is wrong with a receiver that is refused."""
    if settings.production and not receiver.secure:
        return "Enter an address that begins with https://."
    if receiver.port != PORTS["https" if receiver.secure else "http"]:
        return "Only the usual ports are allowed: 443 for https, 80 for http."
    return f"{otherwise} The operator can allow it with WEBHOOK_ALLOW."


def _is_internal(entry: InternalReceiver, receiver: Receiver, address: Address) -> bool:
    if not _has_port(entry, receiver.port):
        return False
    return address in entry.network if entry.network else entry.name == receiver.host


def _has_port(entry: InternalReceiver, port: int) -> bool:
    return port in PORTS.values() if entry.port is None else entry.port == port
