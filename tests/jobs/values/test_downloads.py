"""Downloads: files that tasks return and emit are stored whole, and unsupported ones fail with advice."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs import Download, Emit
from jobs.values import downloads
from jobs.values.images import picture_in
from jobs.values.kept_file import kept_file_in
from jobs.values.outcome import Failure, Success
from tests.support.calling import Received, called

CONTENT = b"soup,price\nleek,3\n"


def kept(value: Any) -> tuple[Any, Received]:
    def give() -> Any:
        return value

    outcome, heard = called(give)
    assert isinstance(outcome, Success), outcome
    return outcome.result, heard


def refused(value: Any) -> str:
    def give() -> Any:
        return value

    outcome, _heard = called(give)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.final) == ("ResultError", True)
    return outcome.message


def image(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3)).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("way", ["path", "download", "bytes"])
def test_a_file_is_kept_with_its_name_size_and_hash(tmp_path: Path, way: str) -> None:
    path = tmp_path / "menu.csv"
    path.write_bytes(CONTENT)
    value = {"path": path, "download": Download(path), "bytes": Download(CONTENT, "menu.csv")}[way]
    result, heard = kept(value)
    file = kept_file_in(result)
    assert file is not None
    assert (file.name, file.size, file.media_type) == ("menu.csv", len(CONTENT), "text/csv")
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert heard.files == [CONTENT]


@pytest.mark.parametrize(("kind", "media_type"), downloads.IMAGES.items())
def test_a_picture_is_recognised_by_its_content(kind: str, media_type: str) -> None:
    file = kept_file_in(kept(Download(image(kind), "x.bin", "text/plain"))[0])
    assert file is not None
    assert (file.media_type, file.width, file.height) == (media_type, 4, 3)


@pytest.mark.parametrize(
    "content", [b"", CONTENT, image("PNG")[:40], image("BMP"), b"<svg onload=alert(1)>", b"GIF89a"]
)
def test_what_only_says_that_it_is_a_picture_is_none(content: bytes) -> None:
    file = kept_file_in(kept(Download(content, "x.png", "image/png"))[0])
    assert file is not None
    assert (file.media_type, file.width) == ("application/octet-stream", None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("../../etc/passwd", "passwd"), ("", "file"), ("a\x00b", "a\\x00b"), ("x" * 300 + ".csv", "x" * 96 + ".csv")],
)
def test_a_name_is_only_a_name(name: str, expected: str) -> None:
    file = kept_file_in(kept(Download(b"", name, "nonsense\r\nX: 1"))[0])
    assert file is not None
    assert (file.name, file.media_type in ("text/csv", "application/octet-stream")) == (expected, True)


def test_files_may_be_parts_and_partial_results(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")

    def give(emit: Emit) -> Any:
        emit(Download(b"1", "one.txt"))
        return {"files": [tmp_path / "a.txt", Download(b"b")], "text": "none"}

    outcome, heard = called(give)
    assert isinstance(outcome, Success)
    assert [kept_file_in(one) is not None for one in outcome.result["files"]] == [True, True]
    assert kept_file_in(heard.values[0]) is not None
    assert heard.files == [b"1", b"a", b"b"]


@pytest.mark.parametrize(("kind", "media_type"), downloads.IMAGES.items())
def test_bytes_of_a_picture_are_one(kind: str, media_type: str) -> None:
    result, heard = kept({"drawn": image(kind)})
    picture = picture_in(result["drawn"])
    assert picture is not None
    assert (picture.width, picture.height, picture.sha256) == (4, 3, hashlib.sha256(image(kind)).hexdigest())
    assert heard.files == [image(kind)]


def test_other_bytes_are_text_or_hexadecimal_or_if_they_are_many_a_file() -> None:
    assert kept("soupe à l'oignon".encode())[0] == "soupe à l'oignon"
    assert kept(b"\x00\xff\xfe\x00")[0] == "00fffe00"
    for many in (b"\x00\xff" * 100, b"soup " * 100_000):
        result, heard = kept({"a": many})
        assert kept_file_in(result["a"]) is not None
        assert heard.files == [many]


def test_a_path_that_is_not_a_file_says_what_to_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing", Path("/dev/zero")):
        assert f"{path}" in refused(path)
        assert "Return str(path) to show a path as text." in refused(path)


def test_the_files_of_one_attempt_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "at most 100 files. Put them into one archive." in refused([Download(b"")] * 101)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(downloads.MOST_BYTES + 1)
    assert "500,000,001 bytes. The limit is 500,000,000" in refused(large)


def test_called_as_a_plain_function_a_task_keeps_nothing() -> None:
    Emit()(Download(b"\xff"))
    Emit()(image("PNG"))
    Emit()([Image.new("RGB", (1, 1)), Path("missing")])


@pytest.mark.parametrize("change", [{"sha256": "../x"}, {"size": -1}, {"name": ""}, {"href": "javascript:alert(1)"}])
def test_what_has_not_the_form_of_a_file_is_none(change: Any) -> None:
    result, _heard = kept(Download(b""))
    assert kept_file_in({"$file": {**result["$file"], **change}}) is None
    assert kept_file_in({**result, "more": 1}) is None
