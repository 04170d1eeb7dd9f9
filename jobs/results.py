"""What a task may return or emit beside plain values; it is kept as JSON that says what it is."""

from pydantic import BaseModel, ConfigDict, model_serializer

from jobs.charts import CHART
from jobs.downloads import FILE
from jobs.frames import FRAME
from jobs.pictures import REFERENCE

MARKDOWN = "$markdown"
# The names by which kept values say what they are.
MARKS = frozenset({CHART, FILE, FRAME, MARKDOWN, REFERENCE})


class Markdown(BaseModel):
    """A text that is shown as Markdown says (CommonMark and tables; HTML in it is shown as it is written)."""

    model_config = ConfigDict(frozen=True)

    text: str

    def __init__(self, text: str) -> None:
        super().__init__(text=text)

    @model_serializer
    def _kept(self) -> dict[str, str]:
        return {MARKDOWN: self.text}


def markdown_in(value: object) -> str | None:
    """The text of a kept value that is Markdown."""
    text = value.get(MARKDOWN) if isinstance(value, dict) and len(value) == 1 else None
    return text if isinstance(text, str) else None
