import io
import re
from socket import socket
from typing import Any

import pytest
from pypdf import PdfReader

from jobs import Download, FinalFailure
from jobs.tasks.pdf_report import pdf_report


def report(text: str, title: str = "Third quarter", **options: Any) -> tuple[PdfReader, Download]:
    file = pdf_report(title, text, **options)
    assert isinstance(file.content, bytes)
    return PdfReader(io.BytesIO(file.content)), file


def words(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_the_text_is_there_with_its_title_and_the_pages_numbers() -> None:
    reader, file = report("## What happened\n\nA **good** one.\n\n- more\n- less\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert words(reader) == "Third quarter What happened A good one. • more • less a b 1 2 1 / 1"
    assert reader.metadata is not None
    assert reader.metadata.title == "Third quarter"
    assert (file.name, file.media_type) == ("Third-quarter.pdf", "application/pdf")


def test_long_texts_have_many_pages() -> None:
    reader, _file = report("A sentence that goes on for a while. " * 3000)
    assert len(reader.pages) > 20
    assert f"2 / {len(reader.pages)}" in words(reader)


@pytest.mark.parametrize(("paper", "width"), [("A4", 595), ("A5", 420), ("Letter", 612)])
def test_the_paper_can_be_chosen(paper: str, width: int) -> None:
    reader, _file = report("Hello", paper=paper)
    assert round(reader.pages[0].mediabox.width) == width


def test_letters_of_many_alphabets_can_be_read_in_code_too() -> None:
    text = "Žluťoučký kůň, Привет, Καλημέρα, ≥ 5 €"
    reader, _file = report(f"{text}\n\n`{text}`\n\n    {text}\n\n> **{text}**", author="Łukasz")
    assert words(reader).count(text) == 4
    assert "Łukasz" in words(reader)


@pytest.mark.parametrize(
    "text",
    [
        "![x](file:///etc/hostname)",
        "![x](http://{address}/secret.png)",
        "<img src='/etc/hostname'>",
        "<img src='http://{address}/'>",
        "<svg><image href='http://{address}/'/></svg>",
        "<link rel='stylesheet' href='http://{address}/'>",
    ],
)
def test_nothing_is_fetched_for_a_text(text: str) -> None:
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        reader, _file = report(text.replace("{address}", f"127.0.0.1:{listening.getsockname()[1]}"))
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert not reader.pages[0].images


@pytest.mark.parametrize("title", ["../../etc/passwd", "a/b\\c", "", "\u202efdp.exe", "x" * 200, "???"])
def test_a_title_becomes_a_harmless_name(title: str) -> None:
    _reader, file = report("Hello", title=title or "-")
    assert re.fullmatch(r"[\w-]{1,60}\.pdf", file.name)


def test_a_table_wider_than_the_paper_is_refused_in_words() -> None:
    columns = 300
    with pytest.raises(FinalFailure, match="wider than the paper"):
        report("|" + " a |" * columns + "\n|" + "---|" * columns)
