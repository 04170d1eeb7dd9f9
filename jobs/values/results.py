"""What a task may return or emit beside plain values; it is kept as JSON that says what it is."""

from pydantic import BaseModel, ConfigDict, model_serializer

from jobs.values.charts import CHART
from jobs.values.dataframe import FRAME
from jobs.values.downloads import FILE
from jobs.values.images import REFERENCE

MARKDOWN = "$markdown"
HTML = "$html"
# The names by which kept values say what they are.
MARKS = frozenset({CHART, FILE, FRAME, HTML, MARKDOWN, REFERENCE})


class Markdown(BaseModel):
    """A text that is shown as Markdown says (CommonMark and tables; HTML in it is shown as it is written)."""

    model_config = ConfigDict(frozen=True)

    text: str

    def __init__(self, text: str) -> None:
        super().__init__(text=text)

    @model_serializer
    def _kept(self) -> dict[str, str]:
        return {MARKDOWN: self.text}


class Html(BaseModel):
    """A text that is shown as HTML, without what could do something: scripts, styles, forms and pictures.

    Left are headings, paragraphs, lists, tables, emphasis, code and links.
    """

    model_config = ConfigDict(frozen=True)

    text: str

    def __init__(self, text: str) -> None:
        super().__init__(text=text)

    @model_serializer
    def _kept(self) -> dict[str, str]:
        return {HTML: self.text}


def markdown_in(value: object) -> str | None:
    """The text of a kept value that is Markdown."""
    return _text(value, MARKDOWN)


def html_in(value: object) -> str | None:
    """The text of a kept value that is HTML, as its task wrote it: nothing to be shown before it is cleaned."""
    return _text(value, HTML)


def _text(value: object, mark: str) -> str | None:
    text = value.get(mark) if isinstance(value, dict) and len(value) == 1 else None
    return text if isinstance(text, str) else None
