"""Formatted text that a task may return or emit, stored as JSON under a key that identifies its type."""

from pydantic import BaseModel, ConfigDict, model_serializer

from jobs.values.charts import CHART
from jobs.values.images import REFERENCE
from jobs.values.kept_file import FILE
from jobs.values.tables import FRAME
from jobs.values.text import in_unicode

MARKDOWN = "$markdown"
HTML = "$html"
# The keys that identify the type of a stored value.
MARKS = frozenset({CHART, FILE, FRAME, HTML, MARKDOWN, REFERENCE})


class Markdown(BaseModel):
    """A text shown as formatted Markdown: CommonMark and tables. HTML in it is shown as source text."""

    model_config = ConfigDict(frozen=True)

    text: str

    def __init__(self, text: str) -> None:
        super().__init__(text=in_unicode(text) if isinstance(text, str) else text)

    @model_serializer
    def _kept(self) -> dict[str, str]:
        return {MARKDOWN: self.text}


class Html(BaseModel):
    """A text shown as HTML, after scripts, styles, forms and images are removed.

    Headings, paragraphs, lists, tables, emphasis, code and links remain.
    """

    model_config = ConfigDict(frozen=True)

    text: str

    def __init__(self, text: str) -> None:
        super().__init__(text=in_unicode(text) if isinstance(text, str) else text)

    @model_serializer
    def _kept(self) -> dict[str, str]:
        return {HTML: self.text}


def markdown_in(value: object) -> str | None:
    """Return the text of a stored Markdown value, or None for any other value."""
    return _text(value, MARKDOWN)


def html_in(value: object) -> str | None:
    """Return the text of a stored HTML value, or None for any other value. Sanitise it before it is shown."""
    return _text(value, HTML)


def _text(value: object, mark: str) -> str | None:
    text = value.get(mark) if isinstance(value, dict) and len(value) == 1 else None
    return text if isinstance(text, str) else None
