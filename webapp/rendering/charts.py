"""Charts as inline SVG without scripts, styles or colours, which the style sheet provides."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from flask import Flask
from markupsafe import Markup

from jobs import Chart
from jobs.values import chart_in
from webapp.rendering import fragments
from webapp.rendering.tables import Table, View
from webapp.threads import DRAWING


class Size(NamedTuple):
    """A size in which charts are drawn, and what there is room for, with letters as large as the style sheet's."""

    name: str
    width: int
    height: int
    letters: int
    longest_label: int
    most_labels: int


# The style sheet shows the one that fits: a wide drawing made smaller could not be read on a phone.
WIDE, NARROW = Size("wide", 640, 320, 15, 14, 7), Size("narrow", 340, 250, 15, 10, 4)
# Names cannot be interpolated as numbers can, so up to this many are shown, at a slant.
MOST_SLANTED, SLANT_DEGREES = 16, 320
# Beyond this number, marks have no tooltips: they would double the page, and the numbers follow as a table.
MOST_TOLD = 200
# Beyond this number of points, marks would hide their line.
MOST_MARKED = 60
# For a smaller range of whole numbers, pygal would place ticks at fractions.
FEW_WHOLE = 7
DRAWN_AT_ONCE = 64
UNWANTED = ("defs", "desc", "title", "style", "script")
NUMBER = re.compile(r"-?\d+\.\d+")
UNUSED = ("rx", "ry")
# Mark shapes centred on 0, 0, so that colour is not the only difference between series.
SHAPES = (
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "M-3.2-3.2h6.4v6.4h-6.4z",
    "M0-4.2L4 3H-4z",
    "M0-4.6L4.6 0L0 4.6L-4.6 0z",
    "M0 4.2L4-3H-4z",
    "M-1.3-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
    "M-4-2.2h8v4.4h-8z",
    "M-2.2-4h4.4v8h-4.4z",
)


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(chart=chart_in, drawing=drawing, numbers=numbers)
    app.jinja_env.globals.update(chart_shapes=SHAPES)


def drawing(chart: Chart) -> Markup:
    """Return a chart's SVGs without title and legend, which the page adds. Recent drawings are cached."""
    return fragments.escaped(_drawn(chart.model_dump_json()))


def numbers(chart: Chart) -> View:
    """Return the first page of a chart's numbers as a table."""
    return View(Table(rows(chart)))


def rows(chart: Chart) -> Sequence[dict[str, Any]]:
    """Return a chart's numbers as rows of a table."""
    x = chart.x_label if chart.x_label and chart.x_label not in chart.series else "x"
    y = chart.y_label if chart.y_label and chart.y_label != x else "y"
    if chart.pairs:
        named = len(chart.series) > 1
        return [
            {**({"series": name} if named else {}), x: at, y: value}
            for name in chart.series
            for at, value in chart.points(name)
        ]
    columns = {name or y: values for name, values in chart.series.items()}
    places = _bins(chart.x) if chart.kind == "histogram" else chart.positions
    return [{x: at, **{name: values[n] for name, values in columns.items()}} for n, at in enumerate(places)]


def _bins(edges: Sequence[Any]) -> list[str]:
    return [f"{_formatted(least)} to {_formatted(most)}" for least, most in pairwise(edges)]


@lru_cache(maxsize=DRAWN_AT_ONCE)
def _drawn(kept: str) -> str:
    chart = chart_in(json.loads(kept))
    assert chart is not None
    # In a thread: a page may have many charts, and the largest take 0.1 s.
    return DRAWING.call(lambda: "".join(_svg(chart, size) for size in (WIDE, NARROW)))


def _svg(chart: Chart, size: Size = WIDE) -> str:
    drawn = _blank(chart, size)
    if _is_labelled(chart):
        _label(drawn, chart, size)
    else:
        drawn.x_labels = _ticks_across(chart)
    drawn.y_labels = _ticks_upwards(chart)
    for name in chart.series:
        drawn.add("", _values(chart, name))
    drawn.add_xml_filter(partial(_bare, chart, size))
    return str(drawn.render(is_unicode=True))


def _blank(chart: Chart, size: Size) -> Any:
    """Return a drawing without data."""
    import pygal  # imported here because it takes 50 ms, and many processes never draw

    line = pygal.Line if _is_labelled(chart) else pygal.XY
    kinds = {"bar": pygal.Bar, "line": line, "histogram": pygal.Histogram, "scatter": pygal.XY}
    return kinds[chart.kind](
        width=size.width,
        height=size.height,
        margin=8,
        style=pygal.style.Style(label_font_size=size.letters, major_label_font_size=size.letters),
        js=[],
        css=[],
        show_legend=False,
        stroke=chart.kind != "scatter",
        show_dots=chart.kind == "scatter" or sum(map(len, chart.series.values())) <= MOST_MARKED,
        truncate_label=size.longest_label,
        max_scale=6,
        formatter=_formatted,
        x_value_formatter=_formatted,
        disable_xml_declaration=True,
        no_data_text="",
    )


def _is_labelled(chart: Chart) -> bool:
    """Return whether the horizontal axis has labels at equal distances, rather than a scale."""
    to_scale = all(isinstance(at, int | float) for at in chart.positions)
    return chart.kind == "bar" or (chart.kind == "line" and not to_scale)


def _label(drawn: Any, chart: Chart, size: Size) -> None:
    named = all(isinstance(at, str) for at in chart.positions)
    drawn.x_labels = [at if isinstance(at, str) else _formatted(at) for at in chart.positions]
    if named and size.most_labels < len(drawn.x_labels) <= MOST_SLANTED:
        drawn.x_label_rotation = SLANT_DEGREES
    elif len(drawn.x_labels) > size.most_labels:
        drawn.x_labels_major_count = size.most_labels
        drawn.show_minor_x_labels = False


def _ticks_across(chart: Chart) -> list[int]:
    places: Sequence[Any] = chart.positions
    if chart.pairs:
        places = [at for name in chart.series for at, _ in chart.points(name)]
    # Bins for whole numbers have the numbers at their centres.
    return _whole(places) or (_whole([edge + 0.5 for edge in places[:-1]]) if chart.kind == "histogram" else [])


def _ticks_upwards(chart: Chart) -> list[int]:
    values = [value for name in chart.series for _, value in chart.points(name) if value is not None]
    return _whole([0, *values] if chart.kind in ("bar", "histogram") else values)


def _whole(values: Sequence[Any]) -> list[int]:
    """Return every whole number in a small range of whole values; otherwise none, so that pygal places the ticks."""
    few = values and max(values) - min(values) < FEW_WHOLE and all(float(value).is_integer() for value in values)
    return list(range(int(min(values)), int(max(values)) + 1)) if few else []


def _values(chart: Chart, name: str) -> Sequence[Any]:
    if chart.kind == "histogram":
        edges = list(pairwise(chart.x))
        return [(count or 0, *bin_) for count, bin_ in zip(chart.series[name], edges, strict=True)]
    if chart.kind == "bar" or any(isinstance(at, str) for at in chart.positions):
        return list(chart.series[name])
    return list(chart.points(name))


def _formatted(value: Any) -> str:
    if isinstance(value, list | tuple):  # pygal passes a whole bin for a tooltip, which is removed later
        return ""
    return f"{value:,.6g}"


def _bare(chart: Chart, size: Size, svg: Element) -> Element:
    """Strip pygal's styles, scripts and tooltips from the drawing, and add titles and a description."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in UNWANTED or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    told = sum(map(len, chart.series.values())) <= MOST_TOLD
    for number, name in enumerate(chart.series):
        found = svg.iterfind(f".//g[@class='series serie-{number} color-{number}']")
        marks = [mark for series in found for mark in series.iter() if mark.tag in ("circle", "rect")]
        if told:
            _tell(marks, chart, name)
        for mark in marks:
            if mark.tag == "circle":
                _reshape(mark, SHAPES[number])
    for element in svg.iter():
        _shorten(element)
    svg.attrib = {
        "viewBox": f"0 0 {size.width} {size.height}",
        "class": f"chart__drawing chart__drawing--{chart.kind} chart__drawing--{size.name}",
        "role": "img",
    }
    for tag, text in (("desc", _described(chart)), ("title", chart.title or "A chart")):
        element = Element(tag)
        element.text = text
        svg.insert(0, element)
    return svg


def _tell(marks: Sequence[Element], chart: Chart, name: str) -> None:
    """Add a title, which browsers show as a tooltip, to the marks of a series: one for each value that is no gap."""
    places = _bins(chart.x) if chart.kind == "histogram" else [at for at, _ in chart.points(name)]
    values = [value for _, value in chart.points(name)]
    points = [(at, value) for at, value in zip(places, values, strict=False) if value is not None]
    if len(points) != len(marks):
        return
    for mark, (at, value) in zip(marks, points, strict=True):
        title = Element("title")
        words = at if isinstance(at, str) else _formatted(at)
        title.text = f"{name}, {words}: {_formatted(value)}" if name else f"{words}: {_formatted(value)}"
        mark.append(title)


def _shorten(element: Element) -> None:
    """Round coordinates to tenths and drop what no style refers to, which is half of the drawing."""
    for name, value in list(element.attrib.items()):
        if name in UNUSED or not value:
            del element.attrib[name]
        elif name == "class":
            element.attrib[name] = value.replace(" reactive", "").replace(" tooltip-trigger", "")
        else:
            element.attrib[name] = NUMBER.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value)


def _reshape(mark: Element, shape: str) -> None:
    x, y = (round(float(mark.attrib[name]), 1) for name in ("cx", "cy"))
    mark.tag = "path"
    mark.attrib = {"class": "dot", "d": shape, "transform": f"translate({x} {y})"}


def _described(chart: Chart) -> str:
    """Return a text alternative for a chart."""
    kind = {"bar": "Bar chart", "line": "Line chart", "scatter": "Scatter chart", "histogram": "Histogram"}[chart.kind]
    names = ", ".join(name for name in chart.series if name)
    points = max(map(len, chart.series.values()))
    axes = " against ".join(label for label in (chart.y_label, chart.x_label) if label)
    parts = (axes, f"series: {names}" if names else "", f"{points:,} points", "the numbers follow as a table")
    return f"{kind}; {'; '.join(part for part in parts if part)}."
