"""Images of Pillow."""

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms

from tests.values.case import Case, Picture

RED, GREEN, BLACK, WHITE = (200, 30, 40, 255), (0, 255, 0, 255), (0, 0, 0, 255), (255, 255, 255, 255)
GREY = (128, 128, 128, 255)
SRGB = ImageCms.createProfile("sRGB")
CLOSED = "left out. The image cannot be read ("


def red(mode: str) -> Image.Image:
    return Image.new("RGB", (2, 1), RED[:3]).convert(mode)


def numbers(mode: str, *values: float) -> Image.Image:
    image = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    return image


def raw(mode: str, *values: int) -> Image.Image:
    order = "little" if mode == "I;16L" else "big"
    return Image.frombytes(mode, (len(values), 1), b"".join(value.to_bytes(2, order) for value in values))  # type: ignore[arg-type]  # one of both


def palette(*colours: int, mode: str = "RGB", index: int = 1) -> Image.Image:
    image = Image.new("P", (2, 1), index)
    image.putpalette(colours, mode)
    return image


def with_transparency(mode: str, transparency: Any) -> Image.Image:
    image = palette(255, 0, 0, 0, 255, 0) if mode == "P" else Image.new(mode, (2, 1), transparency)
    image.info["transparency"] = transparency
    return image


def lab() -> Image.Image:
    profile = ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(red("RGB"), SRGB, profile, outputMode="LAB")
    assert converted is not None
    return converted


def with_profile(mode: str) -> Image.Image:
    image = red(mode)
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(SRGB).tobytes()
    return image


def saved(kind: str, image: Image.Image, **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return stream


def frames(kind: str, count: int = 3, **options: Any) -> Image.Image:
    shades = [Image.new("RGB", (8, 8), (80 * (number % 3), 0, 0)) for number in range(count)]
    return Image.open(saved(kind, shades[0], save_all=True, append_images=shades[1:], **options))


def page_of_tiff(number: int) -> Image.Image:
    image = frames("TIFF")
    image.seek(number)
    return image


def closed(stream: bool) -> Any:
    path = Path(tempfile.mkdtemp()) / "red.png"
    red("RGB").save(path)
    with Image.open(io.BytesIO(path.read_bytes()) if stream else path) as image:
        if stream:
            image.fp.close()  # type: ignore[union-attr]  # it was just opened
    return {"image": image, "n": 1}


def photo() -> Image.Image:
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turn it by 90 degrees
    return Image.open(saved("JPEG", Image.new("RGB", (4, 2)), exif=turned))


def damaged() -> Any:
    return {"image": Image.open(io.BytesIO(saved("JPEG", Image.effect_noise((64, 64), 90)).getvalue()[:600])), "n": 1}


def scaled(low: str, high: str, where: str = "T") -> list[str]:
    return [f"{where}he image's values were scaled: {low} is black, {high} is white."]


def plain(*pixel: int, profile: bool | None = None) -> Picture:
    return Picture((2, 1), {(0, 0): pixel, (1, 0): pixel}, profile=profile)


ENDS = Picture((3, 1), {(0, 0): BLACK, (1, 0): GREY, (2, 0): WHITE})

CASES = {
    "1": Case(lambda: Image.new("1", (2, 1), 1), plain(*WHITE)),
    "L": Case(lambda: Image.new("L", (2, 1), 7), plain(7, 7, 7, 255)),
    "LA": Case(lambda: Image.new("LA", (2, 1), (7, 9)), plain(7, 7, 7, 9)),
    "La": Case(lambda: Image.new("LA", (2, 1), (255, 100)).convert("La"), plain(255, 255, 255, 100)),
    "RGB": Case(lambda: red("RGB"), plain(*RED), shown=["2 × 1 pixels"]),
    "RGBA": Case(lambda: Image.new("RGBA", (2, 1), (1, 2, 3, 4)), plain(1, 2, 3, 4)),
    "RGBa": Case(lambda: Image.new("RGBA", (2, 1), (255, 0, 0, 100)).convert("RGBa"), plain(255, 0, 0, 100)),
    "RGBX": Case(lambda: red("RGBX"), plain(*RED)),
    "PA": Case(lambda: red("P").convert("PA"), Picture((2, 1), {})),
    "CMYK": Case(lambda: red("CMYK"), plain(*RED), ["The image was converted from CMYK to RGB."]),
    "CMYK with a profile that does not fit": Case(
        lambda: with_profile("CMYK"), plain(*RED, profile=False), ["The image was converted"]
    ),
    "YCbCr": Case(lambda: red("YCbCr"), plain(198, 29, 38, 255), ["The image was converted from YCbCr"]),
    "HSV": Case(lambda: red("HSV"), plain(200, 31, 43, 255), ["The image was converted from HSV"]),
    "LAB": Case(lab, plain(200, 28, 39, 255), ["The image was converted from LAB"]),
    "16 bits": Case(lambda: numbers("I;16", 100, 2100, 4100), ENDS, scaled("100", "4,100")),
    "16 bits, big endian": Case(lambda: raw("I;16B", 0, 500, 1000), ENDS, scaled("0", "1,000")),
    "16 bits, little endian": Case(lambda: raw("I;16L", 0, 500, 1000), ENDS, scaled("0", "1,000")),
    "32 bits": Case(lambda: numbers("I", -(2**31), 0, 2**31 - 1), ENDS, scaled("-2.14748e+09", "2.14748e+09")),
    "a narrow range of 32 bits": Case(
        lambda: numbers("I", 2**31 - 101, 2**31 - 51, 2**31 - 1), ENDS, scaled("2.14748e+09", "2.14748e+09")
    ),
    "floats": Case(lambda: {"map": numbers("F", -0.5, 0, 0.5)}, {"map": ENDS}, scaled("-0.5", "0.5", "map: t")),
    "floats with gaps": Case(
        lambda: numbers("F", 1, float("nan"), 2, float("inf")),
        Picture((4, 1), {(0, 0): BLACK, (1, 0): BLACK, (2, 0): WHITE, (3, 0): BLACK}),
        ["Pixels without a finite number are black.", *scaled("1", "2")],
    ),
    "floats that are all alike": Case(
        lambda: numbers("F", 7, 7), plain(7, 7, 7, 255), ["Every value of the image is 7."]
    ),
    "palette": Case(lambda: palette(255, 0, 0, 0, 255, 0), plain(*GREEN)),
    "palette with a transparent colour": Case(lambda: with_transparency("P", 1), plain(0, 255, 0, 0)),
    "palette with transparent colours": Case(lambda: with_transparency("P", b"\x09\x63"), plain(0, 255, 0, 99)),
    "palette in RGBA": Case(lambda: palette(255, 0, 0, 10, 0, 255, 0, 20, mode="RGBA"), plain(0, 255, 0, 20)),
    "a transparent colour": Case(lambda: with_transparency("RGB", (1, 2, 3)), plain(1, 2, 3, 0)),
    "colour profile": Case(lambda: with_profile("RGB"), plain(*RED, profile=True)),
    "animated GIF": Case(lambda: frames("GIF", duration=[100, 200, 300], loop=0), Picture((8, 8), {(0, 0): BLACK}, 3)),
    "animated WebP": Case(lambda: frames("WEBP", duration=100, lossless=True), Picture((8, 8), {(0, 0): BLACK}, 3)),
    "animated PNG": Case(lambda: [frames("PNG", duration=100)], [Picture((8, 8), {(0, 0): BLACK}, 3)]),
    "pages of a TIFF": Case(lambda: frames("TIFF"), Picture((8, 8), {(0, 0): BLACK}), ["This is image 1 of 3."]),
    "a page of a TIFF": Case(
        lambda: page_of_tiff(2), Picture((8, 8), {(0, 0): (160, 0, 0, 255)}), ["This is image 3 of 3."]
    ),
    "too many frames": Case(lambda: frames("GIF", 1001), Picture((8, 8), {}), ["This is image 1 of 1,001."]),
    "a frame that was changed": Case(lambda: frames("GIF").convert("RGB"), Picture((8, 8), {(0, 0): BLACK})),
    "an image whose file was closed": Case(lambda: closed(stream=False), {"image": plain(*RED), "n": 1}),
    "an image whose bytes are gone": Case(lambda: closed(stream=True), {"image": None, "n": 1}, [f"image: {CLOSED}"]),
    "a damaged image": Case(damaged, {"image": None, "n": 1}, [f"image: {CLOSED}OSError"]),
    "a photograph that was turned": Case(photo, Picture((2, 4), {})),
    "an image without pixels": Case(
        lambda: [Image.new("RGB", (0, 3)), 1], [None, 1], ["[0]: left out. It is an image of 0 × 3 pixels."]
    ),
    "an image in a table": Case(
        lambda: [{"dish": "soup", "photo": red("RGB")}],
        [{"dish": "soup", "photo": plain(*RED)}],
        shown=["image of 2 × 1 pixels"],
    ),
    "bytes of an image": Case(lambda: {"png": saved("PNG", red("RGB")).getvalue()}, {"png": plain(*RED)}),
    "a buffer with an image": Case(lambda: saved("PNG", red("RGB")), plain(*RED)),
}
