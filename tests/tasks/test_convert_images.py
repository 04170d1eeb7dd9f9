import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image, ImageCms

from jobs import Download, File, FinalFailure, Progress
from jobs.tasks._images import MOST_PIXELS
from jobs.tasks.convert_images import Format, convert_images

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


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
def test_what_was_taken_with_the_camera_turned_is_upright(tmp_path: Path, ending: str) -> None:
    photos: dict[str, Image.Image | bytes] = {}
    for orientation in range(1, 9):
        photo = Image.new("RGB", (40, 24), "white")
        photo.paste(RED, (0, 0, 8, 8))
        exif = photo.getexif()
        exif[0x0112] = orientation
        photos[f"{orientation}.{ending}"] = written(photo, ending, exif=exif, quality=100)
    images, _rows = converted(tmp_path, photos, format="PNG", longest_side=20)
    corners = {}
    for name, image in images.items():
        assert 0x0112 not in image.getexif()
        ends = {"left": 1, "right": image.width - 2}, {"top": 1, "bottom": image.height - 2}
        corners[int(name[0])] = [
            (down, across) for across, x in ends[0].items() for down, y in ends[1].items() if is_red(image, x, y)
        ]
    top, bottom = ("top", "left"), ("bottom", "left")
    assert corners == {
        1: [top], 2: [("top", "right")], 3: [("bottom", "right")], 4: [bottom],
        5: [top], 6: [("top", "right")], 7: [("bottom", "right")], 8: [bottom],
    }  # fmt: skip
    assert [image.size for image in images.values()] == [(20, 12)] * 4 + [(12, 20)] * 4


def is_red(image: Image.Image, x: int, y: int) -> bool:
    colour = image.convert("RGB").getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour[0] > 128 > colour[1]


def written(image: Image.Image, ending: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, {"jpg": "JPEG"}.get(ending, ending.upper()), **options)
    return content.getvalue()


def profile_of(space: Any) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


@pytest.mark.parametrize("wanted", get_args(Format))
def test_colours_keep_their_profile_or_are_converted(tmp_path: Path, wanted: Format) -> None:
    srgb, lab, broken = profile_of("sRGB"), profile_of("LAB"), b"no profile"
    photo, print_ = Image.new("RGB", (9, 9), RED), Image.new("CMYK", (9, 9), (0, 255, 255, 0))
    given: dict[str, Image.Image | bytes] = {
        "photo.jpg": written(photo, "jpg", icc_profile=srgb),
        "small.png": written(photo.convert("P"), "png", icc_profile=srgb),
        "print.jpg": written(print_, "jpg", icc_profile=srgb),
        "other.tiff": written(print_, "tiff", icc_profile=lab),
        "broken.png": written(photo, "png", icc_profile=broken),
        "none.png": written(photo, "png"),
    }
    images, rows = converted(tmp_path, given, format=wanted)
    kept = [image.info.get("icc_profile") for image in images.values()]
    assert kept == [srgb, srgb, None, None, None, None]
    notes = [row.get("note", "") for row in rows]
    assert notes == ["", "", *["The colour profile was left out."] * 3, ""]
    assert all(is_red(image, 4, 4) for image in images.values())


def moving(ending: str, **options: Any) -> bytes:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "green", "blue")]
    return written(frames[0], ending, save_all=True, append_images=frames[1:], **options)


def test_all_frames_are_kept_or_the_number_of_those_left_out_is_said(tmp_path: Path) -> None:
    times = [100, 200, 300]
    given = {f"a.{ending}": moving(ending, duration=times, loop=0) for ending in ("gif", "webp", "png")}
    for wanted in ("PNG", "WebP"):
        images, rows = converted(tmp_path, given, format=wanted, longest_side=10)
        for image in images.values():
            found = []
            for number in range(image.n_frames):  # type: ignore[attr-defined]  # of files only
                image.seek(number)
                image.load()
                found.append((image.info["duration"], image.convert("RGB").getpixel((5, 2))))
            assert [int(duration) for duration, _colour in found] == times
            assert is_red(image, 5, 2) or len({colour for _duration, colour in found}) == 3
            assert (image.size, image.info["loop"]) == ((10, 5), 0)
        assert [row.get("note") for row in rows] == [None] * 3
    images, rows = converted(tmp_path, given, format="JPEG")
    assert [row["note"] for row in rows] == ["The first of 3 frames."] * 3
    assert all(is_red(image, 5, 2) for image in images.values())


def test_every_page_is_an_image(tmp_path: Path) -> None:
    images, rows = converted(tmp_path, {"fax.tiff": moving("tiff"), "fax.png": Image.new("RGB", (2, 2))})
    assert list(images) == ["fax.jpg", "fax-2.jpg", "fax-3.jpg", "fax-4.jpg"]
    assert [row.get("note") for row in rows] == ["Page 1 of 3.", "Page 2 of 3.", "Page 3 of 3.", None]
    assert [is_red(image, 1, 1) for image in images.values()] == [True, False, False, False]


def png_of_16_bits(kind: int, channels: int) -> bytes:
    """A PNG of one pixel, whose channels are all 0x8010."""
    header = struct.pack(">IIBBBBB", 1, 1, 16, kind, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(b"\0" + b"\x80\x10" * channels), b"IEND")
    parts = (struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_more_than_8_bits_are_scaled_and_said(tmp_path: Path) -> None:
    grey, floats = Image.new("I;16", (2, 1)), Image.new("F", (2, 1))
    for x, (whole, number) in enumerate([(0x8010, -1.5), (0xFFFF, 0.5)]):
        grey.putpixel((x, 0), whole)
        floats.putpixel((x, 0), number)
    given: dict[str, Image.Image | bytes] = {
        "grey.png": grey,
        "grey.tiff": grey,
        "rgb.png": png_of_16_bits(2, 3),
        "rgba.png": png_of_16_bits(6, 4),
        "floats.tiff": floats,
        "whole.tiff": floats.convert("I"),
        "broken.tiff": Image.new("F", (2, 1), math.nan),
    }
    images, rows = converted(tmp_path, given, format="WebP")
    fewer = "16 bits a channel became 8."
    notes = [row.get("note", "") for row in rows]
    assert notes[:5] == [fewer] * 4 + ["Numbers from -1.5 to 0.5 became grey from black to white."]
    assert "not finite" in notes[6]
    lightness = [image.convert("L").getpixel((0, 0)) for image in images.values()]
    assert lightness[:3] == [pytest.approx(128, abs=2)] * 3
    assert lightness[4] == pytest.approx(0, abs=6)
    assert images["floats.webp"].convert("L").getpixel((1, 0)) == pytest.approx(255, abs=6)
    kept, rows = converted(tmp_path, {"grey.png": grey}, format="PNG")
    assert (kept["grey.png"].mode, kept["grey.png"].getpixel((0, 0)), rows[0].get("note")) == ("I;16", 0x8010, None)


def test_what_a_format_cannot_hold_is_named_and_the_others_come_back(tmp_path: Path) -> None:
    given = {"long.png": Image.new("1", (16_384, 1)), "b.png": Image.new("RGB", (2, 2))}
    images, rows = converted(tmp_path, given, format="WebP")
    assert list(images) == ["b.webp"]
    assert rows[0]["note"] == "WebP allows at most 16,383 pixels a side. Choose a smaller longest side."


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "1", "L", "P", "CMYK", "LAB"])
def test_every_mode_is_converted(tmp_path: Path, mode: str) -> None:
    content = written(Image.new(mode, (3, 3)), "tiff")
    for wanted in get_args(Format):
        assert len(converted(tmp_path, {"a.tiff": content}, format=wanted)[0]) == 1


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
