"""Safe HTML from the untrusted Markdown and HTML of tasks."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from flask import Flask
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from webapp.rendering import fragments, messages
from webapp.rendering.plain_html import is_quickly_cleaned
from webapp.threads import DRAWING

# Headings are lowered because the page has its own above them.
LEVELS_BELOW = 2
LOWEST_LEVEL = 6

# A renderer in Python needs up to 30 µs for each character of what is nothing but markup.
LONGEST_MARKDOWN = 50_000
KEPT = 16  # texts, whose pages are likely to be drawn again

TAGS = {"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"}
TABLE = {"table", "tbody", "td", "th", "thead", "tr"}
HEADINGS = {f"h{level}" for level in range(1, LOWEST_LEVEL + 1)}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}


def to_html(text: str) -> Markup:
    """Render CommonMark with tables; HTML is shown as text, and images as their alternative text.

    A text that would take seconds is shown as it is written.
    """
    return _html_of(text) if len(text) <= LONGEST_MARKDOWN else _as_text(text, messages.LONG_MARKDOWN)


def clean(html: str) -> Markup:
    """Sanitise HTML to text and its structure, removing scripts and styles with their content.

    A text that would take minutes is shown as it is written.
    """
    return _cleaned(html) if is_quickly_cleaned(html) else _as_text(html, messages.DEEP_HTML)


def _as_text(text: str, note: str) -> Markup:
    return Markup('<p class="run__note">{}</p><pre>{}</pre>').format(note, text)


@lru_cache(maxsize=KEPT)
def _html_of(text: str) -> Markup:
    # The renderer already escapes HTML. Its output is sanitised as a second defence, because the text is untrusted.
    return DRAWING.call(lambda: _sanitised(_markdown.render(text)))


@lru_cache(maxsize=KEPT)
def _cleaned(html: str) -> Markup:
    return DRAWING.call(_sanitised, html)


def _sanitised(html: str) -> Markup:
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
