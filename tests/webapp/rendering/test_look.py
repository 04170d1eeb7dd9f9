"""The accent colour and the logo that settings give a site."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from config import ConfigError, Settings
from jobs.runs.backend import Backend
from tests.support.visitor import Visitor, soup, the
from webapp import create_app
from webapp.rendering.look import contrast, look_of
from webapp.server.settings import why_not_served

LIGHT, DARK = ("#f8f8f6", "#ffffff", "#f1f1ee"), ("#141416", "#1c1c1f", "#26262a")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4"/></svg>'


def given(**values: object) -> Settings:
    return Settings.model_validate(values)


@pytest.mark.parametrize("accent", ["#1d6f5c", "#2456CC", "#000000", "#7a0000", "#1d6f5c, #7fd1bb"])
def test_an_accent_colour_is_readable_in_both_themes(accent: str) -> None:
    css = look_of(given(app_accent=accent)).css.decode()
    colours = {name: pair for name, *pair in re.findall(r"--color-([\w-]+): light-dark\((\S+), (\S+)\)", css)}
    assert colours["accent"][0] == accent[:7].lower()
    for light, dark in (colours["accent"], colours["accent"]):
        assert min(contrast(light, surface) for surface in (*LIGHT, colours["accent-soft"][0])) >= 4.5
        assert min(contrast(dark, surface) for surface in (*DARK, colours["accent-soft"][1])) >= 4.5
    for fill in (*colours["accent-fill"], *colours["accent-fill-hover"]):
        assert contrast(fill, "#ffffff") >= 4.5


@pytest.mark.parametrize(
    ("accent", "words"),
    [
        ("#ffcc00", "APP_ACCENT: #ffcc00 is too light for text on light pages: its contrast is 1.3"),
        ("#1d6f5c,#1d6f5c", "APP_ACCENT: #1d6f5c is too dark for text on dark pages"),
        ("teal", "APP_ACCENT: must be a colour such as #2456cc"),
        ("#fff;}", "APP_ACCENT: must be a colour"),
    ],
)
def test_an_accent_colour_that_cannot_be_read_refuses_the_start(accent: str, words: str) -> None:
    assert (why_not_served(given(app_accent=accent)) or "").startswith(words)
    with pytest.raises(ConfigError, match=re.escape(words)):
        look_of(given(app_accent=accent))


def test_a_logo_must_be_a_small_picture(tmp_path: Path) -> None:
    large, page = tmp_path / "large.png", tmp_path / "page.html"
    large.write_bytes(b"x" * 60_000)
    page.touch()
    for logo, words in ((tmp_path / "none.svg", "does not exist"), (large, "larger than 50 KB"), (page, "SVG, PNG")):
        assert words in (why_not_served(given(app_logo=logo)) or "")


@pytest.fixture
def app(backend: Backend, tmp_path: Path) -> Flask:
    logo = tmp_path / "ours.svg"
    logo.write_text(SVG)
    look = {"app_accent": "#1d6f5c", "app_logo": logo, "help_url": "https://example.com/help", "contact": "ada@x.org"}
    return create_app(replace(backend, settings=backend.settings.model_copy(update=look)))


def test_every_page_has_the_look_of_the_settings(ada: Visitor) -> None:
    page = soup(ada.get("/"))
    styles = ada.get(str(the(page, "link[rel=stylesheet]")["href"]))
    assert "--color-accent: light-dark(#1d6f5c, " in styles.text
    assert "immutable" in styles.headers["Cache-Control"]
    logo = ada.get(str(the(page, "img.brand__mark")["src"]))
    assert (logo.text, logo.mimetype) == (SVG, "image/svg+xml")
    assert "immutable" in logo.headers["Cache-Control"]
    assert the(page, "link[rel=icon]")["href"] == the(page, "img.brand__mark")["src"]
    menu = the(page, "#account-menu")
    assert the(menu, "a[href='https://example.com/help']").text == "Help"
    assert "Contact: ada@x.org" in menu.text


def test_who_comes_for_the_first_time_reads_what_the_site_is_for(app: Flask) -> None:
    page = soup(Visitor(app).get("/login"))
    assert the(page, ".lead").text.startswith("Dumbwaiter does heavy work for you")
    assert "New here? Read how it works, or ask ada@x.org." in page.text
