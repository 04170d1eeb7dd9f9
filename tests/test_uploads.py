"""Uploads to the running application: bodies with a false length, interrupted bodies, and slow ones."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.objects import KEY, ObjectServer
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


def test_a_bucket_is_written_to_and_read_from_at_the_same_time(object_server: ObjectServer, tmp_path: Path) -> None:
    bucket = {"FILES_URL": f"s3://{object_server.bucket()}", "AWS_ENDPOINT_URL": object_server.url}
    with Stack(tmp_path, **bucket, **KEY) as stack:
        person = Person(stack.url, "ada@example.com")

        def send(content: bytes) -> str:
            body = form(content)
            with RawUpload(person, PATH, len(body)) as upload:
                upload.send(body)
                answer = upload.answer()
            assert answer.startswith("HTTP/1.1 303"), answer[:500]
            return next(line for line in answer.splitlines() if line.lower().startswith("location:")).split()[1]

        def receive(address: str) -> int:
            request = urllib.request.Request(stack.url + address, headers={"Cookie": person.cookie})
            with urllib.request.urlopen(request, timeout=60) as response:
                return len(response.read())

        first = person.get(send(b"soup\n" * 100_000)).select_one(".given-file__name")
        assert first is not None
        with ThreadPoolExecutor(8) as threads:
            reading = [threads.submit(receive, str(first["href"])) for _ in range(60)]
            writing = [threads.submit(send, b"%d soup\n" % number * 100_000) for number in range(20)]
            assert {one.result() for one in reading} == {500_000}
            assert len({one.result() for one in writing}) == 20
