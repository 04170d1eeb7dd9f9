"""Markdown and HTML of tasks as HTML that can do no harm, whoever wrote it."""

from collections.abc import Sequence
from typing import Any

import nh3
from flask import Flask
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from webapp.rendering import fragments

# A page has its own headings above these.
LEVELS_BELOW = 2
LOWEST_LEVEL = 6

TAGS = {"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"}
TABLE = {"table", "tbody", "td", "th", "thead", "tr"}
HEADINGS = {f"h{level}" for level in range(1, LOWEST_LEVEL + 1)}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}


def to_html(text: str) -> Markup:
    """Render CommonMark with tables; HTML in it is shown as it is written, and images as their descriptions."""
    # Our own renderer escapes already. What it makes is cleaned once more, because a text may come from anybody.
    return clean(_markdown.render(text))


def clean(html: str) -> Markup:
    """HTML with nothing left but text and its structure; what is taken out takes its scripts and styles along."""
    kept = nh3.clean(
        html,
        tags=TAGS | TABLE | HEADINGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return fragments.escaped(kept)


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(clean=clean, markdown=to_html)


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + LEVELS_BELOW, LOWEST_LEVEL)}"


def _describe(_renderer: Any, tokens: Sequence[Token], index: int, *_options: Any) -> str:
    """What stands for an image: what it shows may be anything, and loading it would tell its server who looks."""
    return escapeHtml(tokens[index].content)


def _made() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.core.ruler.push("lower_headings", _lower_headings)
    markdown.add_render_rule("image", _describe)
    return markdown


_markdown = _made()
