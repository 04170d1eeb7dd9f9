"""Uploads to the running application: bodies with a false length, interrupted bodies, and slow ones."""

import os
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.objects import KEY, ObjectServer
from tests.support.person import Person
from tests.support.raw_upload import END, RawUpload, head_of, text
from tests.support.stack import Stack
from tests.support.waiting import until

PATH = "/tasks/count_words"
MB = 1_000_000


BOTH_STORES = pytest.mark.parametrize("store", ["folder", "bucket"], indirect=True)


@pytest.fixture(scope="module")
def with_bucket(keyless_object_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {name.upper(): value for name, value in keyless_object_server.settings().items()}
    with Stack(tmp_path_factory.mktemp("bucket"), **settings, **KEY) as stack:
        yield stack


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Stack:
    """The application that keeps its files in a folder, or one that keeps them in a bucket."""
    stack: Stack = request.getfixturevalue("with_bucket" if request.param == "bucket" else "stack")
    return stack


@pytest.fixture
def eve(store: Stack) -> Person:
    return Person(store.url, f"eve{time.time_ns()}@example.com")


def unfinished(stack: Stack) -> set[str]:
    """The temporary files of uploads that have begun, with or without a name."""
    files = stack.data_dir / "files"
    named = {str(path) for path in (files / "new").glob("*")}
    processes = psutil.Process(stack.process.pid).children(recursive=True)
    return named | {path for process in processes for path in opened_by(process) if path.startswith(f"{files}/")}


def opened_by(process: psutil.Process) -> Iterator[str]:
    for link in Path(f"/proc/{process.pid}/fd").glob("*"):
        with suppress(OSError):
            yield os.readlink(link)


def await_success(person: Person, address: str) -> None:
    until(lambda: person.get(address).select_one('[data-state="succeeded"]'), "the run")


def redirected(answer: str) -> str:
    """Return where an answer leads."""
    assert answer.startswith("HTTP/1.1 303"), answer[:500]
    return next(line for line in answer.splitlines() if line.lower().startswith("location:")).split()[1]


def form(content: bytes, most: str = "5") -> bytes:
    return text("most", most) + head_of("texts", "soup.txt") + content + END


@BOTH_STORES
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "no length"])
def test_a_file_arrives_with_and_without_a_length(store: Stack, eve: Person, chunked: bool) -> None:
    body = form(b"soup and bread and soup\n" * 100_000)
    with RawUpload(eve, PATH, None if chunked else len(body)) as upload:
        for start in range(0, len(body), 50_001):
            upload.send(body[start : start + 50_001])
        address = redirected(upload.answer())
    await_success(eve, address)
    assert "soup" in eve.get(address).get_text()
    assert not unfinished(store)


@BOTH_STORES
def test_a_connection_that_is_cut_in_the_middle_leaves_nothing_behind(store: Stack, eve: Person) -> None:
    with RawUpload(eve, PATH, 50 * MB) as upload:
        upload.send(text("most", "5") + head_of("texts", "soup.txt") + b"x" * 3 * MB)
        until(lambda: unfinished(store), "the file's beginning")
    until(lambda: not unfinished(store), "its end")


def test_a_length_that_is_too_small_is_the_end(stack: Stack, ada: Person) -> None:
    body = form(b"x" * 2 * MB)
    with RawUpload(ada, PATH, len(body) - MB) as upload:
        upload.send(body[: len(body) - MB])
        assert upload.answer().startswith("HTTP/1.1 400")
    assert not unfinished(stack)


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


@BOTH_STORES
def test_files_are_written_and_read_at_the_same_time_by_pages_and_workers(store: Stack, eve: Person) -> None:
    def send(content: bytes) -> str:
        body = form(content)
        with RawUpload(eve, PATH, len(body)) as upload:
            upload.send(body)
            return redirected(upload.answer())

    def receive(address: str, asked: str = "") -> bytes:
        headers = {"Cookie": eve.cookie, **({"Range": asked} if asked else {})}
        request = urllib.request.Request(store.url + address, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return bytes(response.read())

    content = b"".join(b"%d soup\n" % number for number in range(100_000))
    first = eve.get(send(content)).select_one(".given-file__name")
    assert first is not None
    address = str(first["href"])
    with ThreadPoolExecutor(8) as threads:
        reading = [threads.submit(receive, address) for _ in range(20)]
        parts = [threads.submit(receive, address, f"bytes={start}-{start + 9}") for start in range(0, 500_000, 25_000)]
        writing = [threads.submit(send, b"%d soup\n" % number * 100_000) for number in range(10)]
        assert {one.result() for one in reading} == {content}
        assert [one.result() for one in parts] == [content[start : start + 10] for start in range(0, 500_000, 25_000)]
        runs = {one.result() for one in writing}
    assert len(runs) == 10
    for run in runs:
        await_success(eve, run)
    await_success(eve, painted := f"/runs/{eve.submit('mandelbrot', iterations='50')}")
    pictures = {str(picture["src"]) for picture in eve.get(painted).select("img[src*=files]")}
    assert pictures
    assert all(receive(picture).startswith(b"\x89PNG") for picture in pictures)
