"""Create a PDF from a Markdown text."""

import re
from typing import Annotated, Literal

from pydantic import Field

from jobs import Download, FinalFailure, LongText, Show, task

EXAMPLE = """\
## What went up and down

The lift made **1,204 journeys**, 12 % more than in the *second* quarter. Nothing was dropped.

| month | up | down |
| --- | --- | --- |
| July | 198 | 201 |
| August | 187 | 190 |
| September | 214 | 214 |

## What comes next

1. Oil the pulleys.
2. Ask the dining room what it would like.

> The order goes down, the dish comes up.
"""

Markup = Annotated[LongText, Field(min_length=1, max_length=200_000)]


@task(
    title="PDF report",
    group="Texts",
    tags=["pdf"],
    icon="document",
    timeout=600,
    memory=500,
    example={"title": "Third quarter", "author": "The kitchen", "text": EXAMPLE},
)
def pdf_report(
    title: Annotated[str, Field(min_length=1, max_length=200)],
    text: Annotated[Markup, Field(description="Markdown: # headings, **bold**, - lists, | tables |, > quotes.")],
    author: Annotated[str, Field(max_length=200), Show(advanced=True)] = "",
    paper: Annotated[Literal["A4", "A5", "Letter"], Show(advanced=True)] = "A4",
) -> Download:
    """Turn a Markdown text into a PDF with headings, lists, tables and page numbers."""
    from ._report import Report, TooWide

    report = Report(title, author, paper)
    try:
        report.write_markdown(text)
    except TooWide as error:
        raise FinalFailure(
            f"A table or a word is wider than the paper ({error}). Use fewer columns or shorter words."
        ) from None
    name = re.sub(r"[^\w-]+", "-", title).strip("-")[:60] or "report"
    return Download(bytes(report.output()), f"{name}.pdf", "application/pdf")
