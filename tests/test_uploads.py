"""Uploads to the running application: bodies with a false length, interrupted bodies, and slow ones."""

from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.raw_upload import END, RawUpload, head_of, text
from tests.support.stack import Stack
from tests.support.waiting import until

PATH = "/tasks/count_words"
MB = 1_000_000


def unfinished(stack: Stack) -> list[Path]:
    return list((stack.data_dir / "files" / "new").glob("*"))


def form(content: bytes, most: str = "5") -> bytes:
    return text("most", most) + head_of("texts", "soup.txt") + content + END


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "no length"])
def test_a_file_arrives_with_and_without_a_length(stack: Stack, ada: Person, chunked: bool) -> None:
    body = form(b"soup and bread and soup\n" * 100_000)
    with RawUpload(ada, PATH, None if chunked else len(body)) as upload:
        for start in range(0, len(body), 50_001):
            upload.send(body[start : start + 50_001])
        answer = upload.answer()
    assert answer.startswith("HTTP/1.1 303"), answer[:500]
    address = next(line for line in answer.splitlines() if line.lower().startswith("location:")).split()[1]
    until(lambda: ada.get(address).select_one('[data-state="succeeded"]'), "the run")
    assert "soup" in ada.get(address).get_text()
    assert unfinished(stack) == []


def test_a_connection_that_is_cut_in_the_middle_leaves_nothing_behind(stack: Stack, ada: Person) -> None:
    with RawUpload(ada, PATH, 50 * MB) as upload:
        upload.send(text("most", "5") + head_of("texts", "soup.txt") + b"x" * 3 * MB)
        until(lambda: unfinished(stack), "the file's beginning")
    until(lambda: not unfinished(stack), "its end")


def test_a_length_that_is_too_small_is_the_end(stack: Stack, ada: Person) -> None:
    body = form(b"x" * 2 * MB)
    with RawUpload(ada, PATH, len(body) - MB) as upload:
        upload.send(body[: len(body) - MB])
        assert upload.answer().startswith("HTTP/1.1 400")
    assert unfinished(stack) == []


def test_a_length_that_is_too_large_is_refused_before_anything_is_read(ada: Person) -> None:
    with RawUpload(ada, PATH, 10**13) as upload:
        assert upload.answer().startswith("HTTP/1.1 413")


def test_without_a_length_the_limits_hold_while_it_comes(ada: Person) -> None:
    with RawUpload(ada, PATH, None) as upload:
        upload.send(text("most", "5") + head_of("texts", "soup.txt"))
        for _ in range(501):
            upload.send(b"x" * MB)
        upload.send(END)
        answer = upload.answer()
    assert answer.startswith("HTTP/1.1 422"), answer[:500]
    assert "soup.txt is larger than 500 MB" in answer


def test_others_are_answered_while_a_file_comes(stack: Stack, ada: Person, ben: Person) -> None:
    with RawUpload(ada, PATH, 200 * MB) as upload:
        upload.send(head_of("texts", "soup.txt"))
        for _ in range(20):
            upload.send(b"x" * MB)
            ben.get("/healthz")
        assert len(unfinished(stack)) == 1, "it is still on its way"
