"""Charts as inline SVG without scripts, styles or colours, which the style sheet provides."""

import json
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

from flask import Flask
from markupsafe import Markup

from jobs import Chart
from jobs.values import chart_in
from webapp.rendering import fragments
from webapp.rendering.tables import Table, View
from webapp.threads import DRAWING

WIDTH, HEIGHT = 480, 280
# The largest font size that the style sheet uses, in SVG units, so that labels always have enough room.
LETTERS = 17
LONGEST_LABEL = 12
MOST_LABELS = 5
# Names cannot be interpolated as numbers can, so up to this many are shown, at a slant.
MOST_SLANTED, SLANT_DEGREES = 16, 320
# Beyond this number of points, marks would hide their line.
MOST_MARKED = 60
# For a smaller range of whole numbers, pygal would place ticks at fractions.
FEW_WHOLE = 7
DRAWN_AT_ONCE = 64
UNWANTED = ("defs", "desc", "title", "style", "script")
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
    """Return a chart's SVG without title and legend, which the page adds. Recent drawings are cached."""
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
    return DRAWING.call(_svg, chart)  # a page may have many charts, and the largest take 0.1 s


def _svg(chart: Chart) -> str:
    drawn = _blank(chart)
    if _is_labelled(chart):
        _label(drawn, chart)
    else:
        drawn.x_labels = _ticks_across(chart)
    drawn.y_labels = _ticks_upwards(chart)
    for name in chart.series:
        drawn.add("", _values(chart, name))
    drawn.add_xml_filter(partial(_bare, chart))
    return str(drawn.render(is_unicode=True))


def _blank(chart: Chart) -> Any:
    """Return a drawing without data."""
    import pygal  # imported here because it takes 50 ms, and many processes never draw

    line = pygal.Line if _is_labelled(chart) else pygal.XY
    kinds = {"bar": pygal.Bar, "line": line, "histogram": pygal.Histogram, "scatter": pygal.XY}
    return kinds[chart.kind](
        width=WIDTH,
        height=HEIGHT,
        margin=8,
        style=pygal.style.Style(label_font_size=LETTERS, major_label_font_size=LETTERS),
        js=[],
        css=[],
        show_legend=False,
        stroke=chart.kind != "scatter",
        show_dots=chart.kind == "scatter" or sum(map(len, chart.series.values())) <= MOST_MARKED,
        truncate_label=LONGEST_LABEL,
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


def _label(drawn: Any, chart: Chart) -> None:
    named = all(isinstance(at, str) for at in chart.positions)
    drawn.x_labels = [at if isinstance(at, str) else _formatted(at) for at in chart.positions]
    if named and MOST_LABELS < len(drawn.x_labels) <= MOST_SLANTED:
        drawn.x_label_rotation = SLANT_DEGREES
    elif len(drawn.x_labels) > MOST_LABELS:
        drawn.x_labels_major_count = MOST_LABELS
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


def _bare(chart: Chart, svg: Element) -> Element:
    """Strip pygal's styles, scripts and tooltips from the drawing, and add a title and a description."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in UNWANTED or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    for number in range(len(chart.series)):
        for series in svg.iterfind(f".//g[@class='series serie-{number} color-{number}']"):
            for mark in list(series.iter("circle")):
                _reshape(mark, SHAPES[number])
    svg.attrib = {
        "viewBox": f"0 0 {WIDTH} {HEIGHT}",
        "class": f"chart__drawing chart__drawing--{chart.kind}",
        "role": "img",
    }
    for tag, text in (("desc", _described(chart)), ("title", chart.title or "A chart")):
        element = Element(tag)
        element.text = text
        svg.insert(0, element)
    return svg


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
