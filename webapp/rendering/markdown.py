"""Safe HTML from the untrusted Markdown and HTML of tasks."""

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

# Headings are lowered because the page has its own above them.
LEVELS_BELOW = 2
LOWEST_LEVEL = 6

TAGS = {"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"}
TABLE = {"table", "tbody", "td", "th", "thead", "tr"}
HEADINGS = {f"h{level}" for level in range(1, LOWEST_LEVEL + 1)}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}


def to_html(text: str) -> Markup:
    """Render CommonMark with tables; HTML is shown as text, and images as their alternative text."""
    # The renderer already escapes HTML. Its output is sanitised as a second defence, because the text is untrusted.
    return clean(_markdown.render(text))


def clean(html: str) -> Markup:
    """Sanitise HTML to text and its structure, removing scripts and styles with their content."""
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
    """Return an image's alternative text, because loading the image would disclose the reader to its server."""
    return escapeHtml(tokens[index].content)


def _made() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.core.ruler.push("lower_headings", _lower_headings)
    markdown.add_render_rule("image", _describe)
    return markdown


_markdown = _made()
