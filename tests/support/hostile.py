"""Hostile requests: strange methods, addresses, headers, cookies, tokens and bodies, from an application's rules."""

import io
import json
import random
from collections.abc import Callable, Collection, Iterator
from typing import Any

from werkzeug.datastructures import MultiDict
from werkzeug.routing import Rule

from tests.support.visitor import ORIGIN

TEXTS = (
    *("", "0", "-1", "1", "999999999999999999999", "1e9", "None", "true", "\x00", "a\r\nSet-Cookie: x=1", "\ud800"),
    *("../../etc/passwd", "..\\..\\x", "%00", "%2e%2e%2f", "//evil.example", "<script>alert(1)</script>", "{{7*7}}"),
    *("' OR 1=1--", "$(id)", "\u202e\u0000", "é" * 300, "x" * 5000, "reverse_text", "count_words", "runs", "[", "{"),
    *("٣", "²", "NaN", "1e999", "0x10", "2026-13-45", "9999-12-31T23:59:59+14:00", "name@", "a@b", "dw_", "user", "on"),
    *("administrator", "task:reverse_text", "text/html", "https://127.0.0.1/", "http://[", "reverse_text\n", "1.1,2.x"),
)
METHODS = ("GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
HEADERS = (
    *("Range", "If-None-Match", "If-Modified-Since", "If-Range", "Accept", "Accept-Encoding", "Accept-Language"),
    *("Authorization", "Content-Type", "Content-Encoding", "Host", "Origin", "Referer", "Sec-Fetch-Site", "Digest"),
    *("HX-Request", "HX-Current-URL", "HX-Target", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Forwarded-Prefix", "Upgrade", "Connection", "Idempotency-Key", "Last-Event-ID", "Prefer", "User-Agent"),
    *("Mcp-Protocol-Version", "Mcp-Session-Id", "Content-Disposition", "Content-Length", "Expect", "Cookie"),
)
VALUES = (
    *("bytes=0-", "bytes=-1", "bytes=9-1,0-0", "bytes=" + "0-1," * 200, '"', "W/", "*/*;q=x", "gzip;q=nan", "Bearer"),
    *("Bearer x.y", "Bearer dw_\xff", "Basic Og==", "dumbwaiter=.x.y", "dumbwaiter=1.\xff", "text/event-stream"),
    *("multipart/form-data", "multipart/form-data; boundary=" + "b" * 99, "application/json; charset=none"),
    *("text/plain; charset=utf-7", "Thu, 99 Foo 10000 99:99:99 GMT", "http://[", "http://[::1", "websocket", "h2c"),
    *("1" * 400, "\xff\xfe", "null", "true", "application/json", "application/x-www-form-urlencoded"),
)
RAW: tuple[Callable[[random.Random], tuple[bytes, str]], ...] = (
    lambda chance: (chance.randbytes(200), "application/x-www-form-urlencoded"),
    lambda chance: (chance.randbytes(200), "multipart/form-data; boundary=x"),
    lambda chance: (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="' + chance.randbytes(20),
        "multipart/form-data; boundary=x",
    ),
    lambda chance: (b"[" * 10_000, "application/json"),
    lambda chance: (json.dumps({text: text for text in TEXTS}).encode("utf-8", "surrogatepass"), "application/json"),
    lambda chance: (b'{"parameters": {"text": 1e999, "a": NaN, "b": ' + b"9" * 5000 + b"}}", "application/json"),
    lambda chance: (b"&".join(b"a%d=%%ff" % n for n in range(2000)), "application/x-www-form-urlencoded"),
    lambda chance: (b"_owner=x&_change=add+" + b"texts." * 500 + b"&text=%00", "application/x-www-form-urlencoded"),
    lambda chance: (b"", "application/json"),
)


class Hostility:
    """The material of requests: the rules, ids that exist, and the names of the fields that forms and programs send."""

    def __init__(self, seed: int, rules: Collection[Rule], ids: Collection[str], names: Collection[str]) -> None:
        self.chance = random.Random(seed)
        self._rules, self._ids, self._names = list(rules), list(ids), sorted(names)

    def request(self) -> tuple[str, str, dict[str, Any]]:
        """Return a method, a path and what else to ask with."""
        chance, rule = self.chance, self.chance.choice(self._rules)
        path = "".join(part if is_fixed else self._text(0.6) for is_fixed, part in parts(rule))
        if chance.random() < 0.1:
            path += chance.choice(TEXTS)
        query = {chance.choice(self._names): self._text(0.2) for _ in range(3)}
        headers = dict(ORIGIN) | {chance.choice(HEADERS): self._header() for _ in range(chance.randrange(4))}
        options: dict[str, Any] = {"query_string": query, "headers": headers}
        method = chance.choice(METHODS) if chance.random() < 0.3 else chance.choice(sorted(rule.methods or {"GET"}))
        if method not in ("GET", "HEAD"):
            options["data"], options["content_type"] = self._body()
        return method, "/" + path.lstrip("/"), options

    def _text(self, known: float) -> str:
        return self.chance.choice(self._ids if self.chance.random() < known else TEXTS)

    def _header(self) -> str:
        return clean(self.chance.choice((*VALUES, *TEXTS)))

    def _body(self) -> tuple[Any, str | None]:
        chance = self.chance
        kind = chance.randrange(4)
        if kind == 0:
            return chance.choice(RAW)(chance)
        if kind == 1:
            return json.dumps(self._json(3)).encode("utf-8", "surrogatepass"), "application/json"
        fields: MultiDict[str, Any] = MultiDict()
        for _ in range(chance.randrange(12)):
            fields.add(chance.choice(self._names), self._text(0.3))
        if kind == 2:
            return fields, "application/x-www-form-urlencoded"
        for _ in range(chance.randrange(3)):
            name = clean(chance.choice(TEXTS))
            fields.add(chance.choice(self._names), (io.BytesIO(chance.randbytes(300)), name, self._header()))
        return fields, "multipart/form-data"

    def _json(self, depth: int) -> Any:
        chance = self.chance
        plain = (None, True, -1, 2**70, 0.5, *TEXTS, *self._ids)
        match chance.randrange(4) if depth else 3:
            case 0 | 1:
                return {chance.choice(self._names): self._json(depth - 1) for _ in range(chance.randrange(6))}
            case 2:
                return [self._json(depth - 1) for _ in range(chance.randrange(4))]
        return chance.choice(plain)


def parts(rule: Rule) -> Iterator[tuple[bool, str]]:
    """Yield the pieces of a rule, and whether each is fixed; the others are names."""
    for number, piece in enumerate(rule.rule.replace(">", "<").split("<")):
        yield (True, piece) if number % 2 == 0 else (False, piece.rpartition(":")[2])


def clean(value: str) -> str:
    """Return a header's value as a web server would let it through."""
    kept = "".join(one for one in value if one >= " " and one not in "\r\n")
    return kept.encode("latin-1", "replace").decode("latin-1")
