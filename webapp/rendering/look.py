"""The look that settings give a site: its accent colour, which must be readable in both themes, and its logo."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from config import ROOT, ConfigError, Settings

TOKENS = ROOT / "static" / "css" / "tokens.css"
TOKEN = re.compile(r"--color-(page|surface|sunken): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
COLOURS = re.compile(r"#[0-9A-Fa-f]{6}( *, *#[0-9A-Fa-f]{6})?")
NO_COLOUR = "must be a colour such as #2456cc, or two with a comma between, for light and for dark pages"
READABLE, SEEN = 4.5, 3.0  # the contrasts that WCAG 2.2 asks of text, and of the edge of a control
STEPS = 50
WHITE, BLACK = "#ffffff", "#000000"
LOGOS = frozenset({".svg", ".png", ".webp"})
LARGEST_LOGO_BYTES = 50_000

CSS = """\
@layer tokens {{
  :root {{
    --color-accent: light-dark({accent}, {accent_dark});
    --color-accent-soft: light-dark({soft}, {soft_dark});
    --color-accent-fill: light-dark({accent}, {fill_dark});
    --color-accent-fill-hover: light-dark({hover}, {hover_dark});
  }}
}}
"""


class Look(NamedTuple):
    """The style sheet of an accent colour, empty for the usual one, and the path of a logo."""

    css: bytes = b""
    logo: Path | None = None

    @property
    def logo_name(self) -> str:
        """The name of the logo among the static files; empty without one."""
        return f"logo{self.logo.suffix.lower()}" if self.logo else ""


def look_of(settings: Settings) -> Look:
    """Return the look that the settings give. Raises ConfigError if a colour cannot be read, or the logo be used."""
    if settings.app_accent and not COLOURS.fullmatch(settings.app_accent):
        raise ConfigError(f"APP_ACCENT: {NO_COLOUR}")
    light, _, dark = (part.strip().lower() for part in settings.app_accent.partition(","))
    logo = ROOT / settings.app_logo.expanduser() if settings.app_logo else None
    if logo and (problem := _problem_with(logo)):
        raise ConfigError(f"APP_LOGO: {logo} {problem}")
    return Look(_css(light, dark).encode() if light else b"", logo)


def _css(light: str, dark: str) -> str:
    on_light, on_dark = _surfaces()
    _check(light, on_light, "light for text on light", "darker")
    if dark:
        _check(dark, on_dark, "dark for text on dark", "lighter")
    accent_dark = dark or _lightened(light, on_dark, READABLE)
    fill_dark = _lightened(light, on_dark[:2], SEEN)
    return CSS.format(
        accent=light,
        accent_dark=accent_dark,
        soft=_mixed(light, WHITE, 0.05),
        soft_dark=_mixed(accent_dark, on_dark[0], 0.1),
        fill_dark=fill_dark,
        hover=_mixed(BLACK, light, 0.15),
        hover_dark=_mixed(BLACK, fill_dark, 0.1),
    )


def _check(colour: str, surfaces: Iterable[str], too: str, better: str) -> None:
    least = min(contrast(colour, surface) for surface in surfaces)
    if least < READABLE:
        raise ConfigError(
            f"APP_ACCENT: {colour} is too {too} pages: its contrast is {least:.1f}, and has to be {READABLE}. "
            f"Choose a {better} colour."
        )


@cache
def _surfaces() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the colours that text in the accent colour stands on, on light and on dark pages."""
    light, dark = zip(*((light, dark) for _name, light, dark in TOKEN.findall(TOKENS.read_text())), strict=True)
    return light, dark


def _lightened(colour: str, surfaces: Iterable[str], least: float) -> str:
    """Return the colour with as much white as it needs for a contrast."""
    mixed = (_mixed(WHITE, colour, step / STEPS) for step in range(STEPS + 1))
    return next(one for one in mixed if min(contrast(one, surface) for surface in surfaces) >= least)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, as WCAG 2.2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance, as WCAG 2.2 defines it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(one: str, other: str, share: float) -> str:
    """Return a colour with so much of one and the rest of another."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(255 * (a * share + b * (1 - share))):02x}" for a, b in pairs)


def _parts(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def _problem_with(logo: Path) -> str:
    if logo.suffix.lower() not in LOGOS:
        return "must be an SVG, PNG or WebP file"
    if not logo.is_file():
        return "does not exist"
    if logo.stat().st_size > LARGEST_LOGO_BYTES:
        return f"must not be larger than {LARGEST_LOGO_BYTES // 1000} KB, because every page shows it"
    return ""
