"""Translation of a model's patterns into equivalent browser patterns.

Models search with Rust regular expressions; browsers match the whole text with JavaScript's in `v` mode. The two differ
in escaping rules and in the definition of letters and spaces.
"""

import re

# JavaScript equivalents of Rust's character classes.
CLASSES = {
    "d": r"\p{Nd}",
    "D": r"\P{Nd}",
    "w": r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]",
    "W": r"[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]",
    "s": r"\p{White_Space}",
    "S": r"\P{White_Space}",
}
ENDS = {"A": "^", "z": "$"}
MUST_ESCAPE = frozenset("^$\\.*+?()[]{}|/")
MUST_ESCAPE_INSIDE = frozenset("()[]{}/-|\\&!#%,:;<=>@`~")

TOKEN = re.compile(
    r"""\\(?P<named>p\{(?:L|M|N|P|S|Z|C)[a-z]?\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[nrtfv])
    | \\(?P<escaped>.)
    | (?P<group>\((?:\?:|\?P?<[A-Za-z_]\w*>|(?!\?)))
    | (?P<count>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??(?![*+?{]))
    | (?P<set>\[\^?(?:\]|-)?)
    | (?P<plain>[^\\\[\]{}*+?(])""",
    re.VERBOSE | re.DOTALL,
)
END = r"(?:[A-Za-z0-9]|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4})"
INSIDE = re.compile(
    rf"""(?P<range>{END}-{END})
    | \\(?P<named>p\{{(?:L|M|N|P|S|Z|C)[a-z]?\}}|x[0-9A-Fa-f]{{2}}|u[0-9A-Fa-f]{{4}}|[nrtfv])
    | \\(?P<escaped>.)
    | (?P<end>\])
    | (?P<plain>[^\\\[&~-]|-(?=\])|[&~](?![&~]))""",
    re.VERBOSE | re.DOTALL,
)


class Untold(Exception):
    """A pattern that has no browser equivalent and is checked on the server only."""


def browser_pattern(pattern: str) -> str | None:
    """Return the value for an input's `pattern`, or None if only the server can check it."""
    try:
        told = _outside(pattern)
    except Untold:
        return None
    if pattern.startswith("^") and re.search(r"(?<!\\)\$$", pattern) and "|" not in pattern:
        return told
    return rf"[\s\S]*(?:{told})[\s\S]*"


def _outside(pattern: str) -> str:
    told, at = "", 0
    while at < len(pattern):
        token = TOKEN.match(pattern, at)
        if token is None:
            raise Untold
        at = token.end()
        if token["set"]:
            inside, at = _inside(pattern, at)
            told += token["set"].replace("]", r"\]").replace("-", r"\-") + inside
        elif token["group"]:
            told += "(" if token["group"] == "(" else "(?:"
        elif token["plain"] == ".":
            told += r"[^\n]"
        else:
            told += _same(token, MUST_ESCAPE - set("^$|)"), ENDS)
    return told


def _inside(pattern: str, at: int) -> tuple[str, int]:
    told = ""
    while token := INSIDE.match(pattern, at):
        at = token.end()
        if token["end"]:
            return f"{told}]", at
        told += token["range"] or _same(token, MUST_ESCAPE_INSIDE, {})
    raise Untold


def _same(token: re.Match[str], must_escape: frozenset[str], ends: dict[str, str]) -> str:
    if token["named"] or token.groupdict().get("count"):
        return token[0]
    escaped = token["escaped"]
    if escaped is None:
        plain = token["plain"]
        return f"\\{plain}" if plain in must_escape else plain
    if escaped.isalnum():
        if escaped not in CLASSES | ends:
            raise Untold
        return {**CLASSES, **ends}[escaped]
    return f"\\{escaped}" if escaped in must_escape | MUST_ESCAPE else escaped
