import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

from jobs import Download, File, FinalFailure, Progress
from jobs.tasks.convert_images import MOST_PIXELS, Format, convert_images

RED, WHITE = (255, 0, 0), (255, 255, 255)


def converted(
    folder: Path, images: Mapping[str, Image.Image | bytes], **options: Any
) -> tuple[dict[str, Image.Image], list[dict[str, Any]]]:
    """Convert images by name, and return the archive's images with the message about each."""
    files = []
    for number, (name, content) in enumerate(images.items()):
        path = folder / f"{number}.bin"
        if isinstance(content, Image.Image):
            content.save(path, "JPEG" if name.endswith(".jpg") else Path(f"a{name}").suffix[1:].upper())
        else:
            path.write_bytes(content)
        file = File.at(path)
        files.append(File(name, file.size, file.sha256, file.media_type, file._open))
    archive, rows = convert_images(files, **options, workspace=folder, progress=Progress())
    assert isinstance(archive, Download)
    with zipfile.ZipFile(
        archive.content if isinstance(archive.content, Path) else io.BytesIO(archive.content)
    ) as zipped:
        assert zipped.testzip() is None
        return {name: Image.open(io.BytesIO(zipped.read(name))) for name in zipped.namelist()}, rows


@pytest.mark.parametrize("wanted", get_args(Format))
def test_every_image_comes_back_in_the_wanted_form(tmp_path: Path, wanted: Format) -> None:
    given = {"a.png": Image.new("RGB", (40, 20), RED), "b.bmp": Image.new("1", (7, 9)), "c.gif": Image.new("P", (5, 5))}
    images, rows = converted(tmp_path, given, format=wanted)
    assert {image.format for image in images.values()} == {wanted.upper()}
    assert [image.size for image in images.values()] == [(40, 20), (7, 9), (5, 5)]
    assert [row["became"] for row in rows] == list(images)


@pytest.mark.parametrize(("size", "expected"), [((400, 200), (100, 50)), ((30, 300), (10, 100)), ((60, 40), (60, 40))])
def test_large_ones_become_smaller_and_small_ones_stay(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    for name in ("a.png", "a.jpg"):
        images, _rows = converted(tmp_path, {name: Image.new("RGB", size, RED)}, longest_side=100)
        assert images["a.jpg"].size == expected


def test_what_was_taken_with_the_camera_turned_is_upright(tmp_path: Path) -> None:
    photo, content = Image.new("RGB", (40, 20)), io.BytesIO()
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(content, "JPEG", exif=exif)
    images, _rows = converted(tmp_path, {"photo.jpg": content.getvalue()})
    assert images["photo.jpg"].size == (20, 40)


def test_what_is_transparent_stays_so_or_lies_on_white(tmp_path: Path) -> None:
    glass = Image.new("RGBA", (4, 4), (*RED, 0))
    assert converted(tmp_path, {"a.png": glass}, format="PNG")[0]["a.png"].getpixel((0, 0)) == (*RED, 0)
    assert converted(tmp_path, {"a.png": glass}, format="JPEG")[0]["a.jpg"].getpixel((0, 0)) == WHITE


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.png", "..\\..\\boot.png", "/abs/x.png", ".png", "a/b/c.png", "\u202egnp.png"]
)
def test_names_lead_nowhere(tmp_path: Path, name: str) -> None:
    images, _rows = converted(tmp_path, {name: Image.new("RGB", (2, 2))}, format="PNG")
    (inside,) = images
    assert inside.endswith(".png")
    assert not {"/", "\\"} & set(inside)
    assert not inside.startswith(".")


def test_of_two_with_one_name_both_come_back(tmp_path: Path) -> None:
    small, large = Image.new("RGB", (2, 2)), Image.new("RGB", (4, 4))
    images, _rows = converted(tmp_path, {"x/a.png": small, "A.png": large, "a.bmp": small}, format="PNG")
    assert list(images) == ["a.png", "A-2.png", "a-3.png"]


def png_of(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds nothing."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), b"IDAT")
    parts = (struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_what_cannot_be_read_is_named_and_the_others_come_back(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    bomb = Image.new("1", (MOST_PIXELS // 1000 + 1, 1000))
    given: dict[str, Image.Image | bytes] = {
        "good.png": whole.getvalue(),
        "half.png": whole.getvalue()[:900],
        "text.png": b"not an image at all",
        "bomb.png": bomb,
        "larger.png": png_of(30_000, 30_000),
        "page.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    images, rows = converted(tmp_path, given)
    assert list(images) == ["good.jpg"]
    notes = {row["file"]: row.get("note", "") for row in rows}
    assert "damaged" in notes["half.png"]
    assert all("too large" in notes[name] for name in ("bomb.png", "larger.png"))
    assert all("not an image" in notes[name] for name in ("text.png", "page.png", "svg.png"))


def test_nothing_to_convert_is_a_failure_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(FinalFailure, match=r"text\.png: This is not an image"):
        converted(tmp_path, {"text.png": b"hello"})
