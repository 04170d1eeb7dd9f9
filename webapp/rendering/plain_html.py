"""The check that cleaning an HTML text takes a time that grows with its length only."""

import re

# The HTML parser looks through all open elements at each tag, so deep nesting makes it take minutes. With so few tags
# it takes a tenth of a second at most, however they are nested.
FEW_TAGS = 3000
DEEPEST = 100

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
# Elements whose end tag may be left out.
IMPLIED = frozenset(["dd", "dt", "li", "option", "p", "tbody", "td", "tfoot", "th", "thead", "tr"])
# A start or end tag as parsers read it without error: each quote belongs to an attribute's value. The possessive
# quantifiers make it look at each character a fixed number of times.
TAG = re.compile(
    r"""<(/?)([a-zA-Z][a-zA-Z0-9]*+)(?:\s++[^\s"'<>=/]++(?:=(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>=`]++))?+)*+\s*+/?>"""
)


def is_quickly_cleaned(html: str) -> bool:
    """Return whether an HTML text has few tags, or tags that are all well-formed, closed in order and not deep."""
    tags = html.count("<")
    return tags <= FEW_TAGS or _is_plain(html, tags)


def _is_plain(html: str, tags: int) -> bool:
    opened: list[str] = []
    for tag in TAG.finditer(html):
        tags -= 1
        name = tag[2].lower()
        if not tag[1]:
            if name not in VOID:
                opened.append(name)
        elif not _close(opened, name):
            return False
        if len(opened) > DEEPEST:
            return False
    return not tags  # each "<" was the beginning of a tag


def _close(opened: list[str], name: str) -> bool:
    """Close the innermost element of this name, with those in it that need no end tag; return whether it is open."""
    while opened:
        last = opened.pop()
        if last == name:
            return True
        if last not in IMPLIED:
            return False
    return False
