"""Set a text as a PDF."""

import logging
import re
from typing import Annotated, Literal

import font_source_sans_pro as fonts
from fpdf import FPDF
from fpdf.errors import FPDFException
from fpdf.fonts import FontFace, TextStyle
from markdown_it import MarkdownIt
from pydantic import Field

from jobs import Download, FinalFailure, LongText, Show, task

# What it tells of every font it makes smaller says nothing to who reads the run's log.
logging.getLogger("fontTools").setLevel(logging.WARNING)

FONT = "Source Sans"
FACES = {
    "": fonts.SourceSansPro,
    "B": fonts.SourceSansProBold,
    "I": fonts.SourceSansProIt,
    "BI": fonts.SourceSansProBoldIt,
}
SIZE, SMALL = 11, 9  # points
LINE_HEIGHT = 1.35
MARGIN = 22  # millimetres
INK, QUIET, LINK = "#1a1c20", "#5b606b", "#1f4fbf"
HEADINGS = {"h1": 18.0, "h2": 15.0, "h3": 13.0, "h4": 11.5, "h5": 11.0, "h6": 11.0}  # points
STYLES = {
    **{tag: TextStyle(FONT, "B", size, INK, t_margin=5, b_margin=1) for tag, size in HEADINGS.items()},
    "blockquote": TextStyle(FONT, "I", color=QUIET, t_margin=3, b_margin=3, l_margin=6),
    "pre": TextStyle(FONT, color=QUIET, t_margin=4, l_margin=6),
    "code": FontFace(FONT, color=QUIET),  # the built-in Courier has no letters beyond those of Western Europe
    "a": FontFace(color=LINK, emphasis="UNDERLINE"),
}
# Neither pictures nor HTML, which can name some: the server would fetch them for whoever writes their address.
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

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


class Report(FPDF):
    """Pages with the title on the first one, and their numbers below."""

    def __init__(self, title: str, author: str, size: str) -> None:
        super().__init__(format=size)
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN)
        for style, file in FACES.items():
            self.add_font(FONT, style, file)
        self.set_fallback_fonts([FONT], exact_match=False)  # its slanted letters are fewer
        self.set_title(title)
        self.set_author(author)
        self.set_lang("en")
        self.add_page()
        self._line(title, "B", 24, INK)
        self._line(author, "", SIZE, QUIET)
        self.set_font(FONT, "", SIZE)
        self.set_text_color(INK)

    def footer(self) -> None:
        self.set_y(-MARGIN * 0.7)
        self.set_font(FONT, "", SMALL)
        self.set_text_color(QUIET)
        self.cell(0, text=f"{self.page_no()} / {{nb}}", align="R")

    def _line(self, text: str, style: str, size: float, colour: str) -> None:
        if not text:
            return
        self.set_font(FONT, style, size)
        self.set_text_color(colour)
        self.multi_cell(0, text=text, new_x="LMARGIN", new_y="NEXT")
        self.ln(2)


def _html(text: str) -> str:
    return str(MARKDOWN.render(text)).replace("<p>", f'<p line-height="{LINE_HEIGHT}">')


@task(title="PDF report", timeout=600, example={"title": "Third quarter", "author": "The kitchen", "text": EXAMPLE})
def pdf_report(
    title: Annotated[str, Field(min_length=1, max_length=200)],
    text: Annotated[Markup, Field(description="As Markdown: # headings, **bold**, - lists, | tables |, > quotes.")],
    author: Annotated[str, Field(max_length=200), Show(advanced=True)] = "",
    paper: Annotated[Literal["A4", "A5", "Letter"], Show(advanced=True)] = "A4",
) -> Download:
    """Turn a text into a PDF to hand on, with headings, lists, tables and page numbers."""
    report = Report(title, author, paper)
    try:
        report.write_html(_html(text), font_family=FONT, tag_styles=STYLES)
    except FPDFException as error:
        raise FinalFailure(f"A table or a word is wider than the paper ({error}). Give it fewer columns.") from None
    name = re.sub(r"[^\w-]+", "-", title).strip("-")[:60] or "report"
    return Download(bytes(report.output()), f"{name}.pdf", "application/pdf")
