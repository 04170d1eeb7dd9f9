"""The value types that tasks return and emit, and their JSON forms."""

from jobs.values.charts import chart_in
from jobs.values.images import DRAWING, Picture, picture_in
from jobs.values.kept_file import kept_file_in
from jobs.values.media_types import media_type_of
from jobs.values.outcome import Failure, Outcome, Success
from jobs.values.references import references_in
from jobs.values.results import MARKS, html_in, markdown_in
from jobs.values.stored_file import RunFile, StoreAway
from jobs.values.tables import frame_in, types_of
from jobs.values.text import label_of

__all__ = [
    "DRAWING",
    "MARKS",
    "Failure",
    "Outcome",
    "Picture",
    "RunFile",
    "StoreAway",
    "Success",
    "chart_in",
    "frame_in",
    "html_in",
    "kept_file_in",
    "label_of",
    "markdown_in",
    "media_type_of",
    "picture_in",
    "references_in",
    "types_of",
]
