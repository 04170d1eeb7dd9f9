"""The PDF of a report, in a module of its own so that only processes that need it import fpdf and its fonts (60 MB)."""

import logging

import font_source_sans_pro as fonts
from fpdf import FPDF
from fpdf.errors import FPDFException as TooWide
from fpdf.fonts import FontFace, TextStyle
from markdown_it import MarkdownIt

__all__ = ["Report", "TooWide"]

# fontTools logs every font that it subsets, which is noise in the run's log.
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
    "code": FontFace(FONT, color=QUIET),  # the built-in Courier only covers Western European letters
    "a": FontFace(color=LINK, emphasis="UNDERLINE"),
}
# Security: no images, and no HTML, which can contain images. The server would fetch any URL that a user writes there.
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


class Report(FPDF):
    """A PDF with the title on its first page, and page numbers in the footer."""

    def __init__(self, title: str, author: str, size: str) -> None:
        super().__init__(format=size)
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN)
        for style, file in FACES.items():
            self.add_font(FONT, style, file)
        self.set_fallback_fonts([FONT], exact_match=False)  # the italic faces have fewer glyphs
        self.set_title(title)
        self.set_author(author)
        self.set_lang("en")
        self.add_page()
        self._line(title, "B", 24, INK)
        self._line(author, "", SIZE, QUIET)
        self.set_font(FONT, "", SIZE)
        self.set_text_color(INK)

    def write_markdown(self, text: str) -> None:
        """Append a Markdown text. Raises TooWide when a part of it does not fit on the paper."""
        html = str(MARKDOWN.render(text)).replace("<p>", f'<p line-height="{LINE_HEIGHT}">')
        self.write_html(html, font_family=FONT, tag_styles=STYLES)

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
