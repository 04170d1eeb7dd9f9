"""Convert the figures of Plotly to charts, and what no chart can show to tables of its numbers.

Plotly draws with a script of its own, which no page loads, so its figures cannot be shown as they are. It is not
imported: its figures bring it.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jobs.values import plotly_traces
from jobs.values.charts import LONGEST_WORDS, MOST_SERIES, Chart, Kind
from jobs.values.errors import NoForm
from jobs.values.names import distinct
from jobs.values.places import Place
from jobs.values.plotly_traces import Points

Form = Callable[[Any, Place], Any]
BARS = frozenset({"bar", "funnel", "pie", "waterfall"})
LINES = frozenset({"scatter", "scattergl"})
BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
AS_NUMBERS = "traces for which there is no chart are shown as their numbers."
TAG = re.compile(r"<[^<>]*>")


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type that is no figure of Plotly."""
    plotly = sys.modules.get("plotly.basedatatypes")
    return _converted if plotly is not None and issubclass(kind, plotly.BaseFigure) else None


class Group(NamedTuple):
    """The traces of one kind that share their axes; `kind` is None for traces that are no chart."""

    kind: Kind | None
    axes: tuple[str, str]
    number: int = 0


def _converted(figure: Any, place: Place) -> Any:
    """Return a chart or table, or a list of them if the figure has traces of several kinds or several axes."""
    layout = figure.layout.to_plotly_json()
    groups: dict[Group, list[Mapping[str, Any]]] = {}
    for number, trace in enumerate(figure.data):
        plain = trace.to_plotly_json()
        groups.setdefault(_group(plain, number), []).append(plain)
    if not groups:
        raise NoForm("The figure has no traces.")
    place.note("of the Plotly figure the numbers and titles were saved, without styles, annotations and hover texts.")
    _say_differences(figure, layout, place)
    parts = [part for group, traces in groups.items() for part in _parts(group, traces, layout, place)]
    return parts[0] if len(parts) == 1 else parts


def _group(trace: Mapping[str, Any], number: int) -> Group:
    kind = _kind(trace)
    return Group(kind, (trace.get("xaxis", "x"), trace.get("yaxis", "y")), 0 if kind else number)


def _kind(trace: Mapping[str, Any]) -> Kind | None:
    type_ = trace.get("type", "scatter")
    if type_ in BARS:
        return "bar"
    if type_ == "histogram" and not trace.get("histfunc") and not ("x" in trace and "y" in trace):
        return "histogram"
    if type_ in LINES:
        # Without a mode, Plotly joins the points by a line.
        return "line" if "lines" in trace.get("mode", "lines") else "scatter"
    return None


def _say_differences(figure: Any, layout: Mapping[str, Any], place: Place) -> None:
    if any(trace.type == "pie" for trace in figure.data):
        place.note("pies are shown as bars.")
    if figure.frames:
        place.note("the frames of the animation were left out.")
    if any(isinstance(axis, dict) and axis.get("type") == "log" for axis in layout.values()):
        place.note("axes that were logarithmic are linear.")
    bars = [trace for trace in figure.data if trace.type == "bar"]
    if len(bars) > 1 and layout.get("barmode", "group") != "group":
        place.note("bars that were stacked stand side by side.")


def _parts(group: Group, traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], place: Place) -> Iterator[Any]:
    if group.kind is None:
        place.note(AS_NUMBERS)
        yield from (plotly_traces.numbers_of(trace, place) for trace in traces)
        return
    titles = _titles(layout, group.axes, traces[0].get("orientation") == "h")
    for first in range(0, len(traces), MOST_SERIES):
        yield from _charts(group.kind, traces[first : first + MOST_SERIES], titles, place)


def _charts(kind: Kind, traces: Sequence[Mapping[str, Any]], titles: Any, place: Place) -> Iterator[Any]:
    """Yield a chart of the traces, or one of each if they do not fit together."""
    try:
        chart = _chart(kind, traces, titles, place)
    except ValueError:  # it is one that our charts cannot draw
        place.note(AS_NUMBERS)
        yield from (plotly_traces.numbers_of(trace, place) for trace in traces)
        return
    if chart is not None:
        yield chart
    else:
        for trace in traces:
            yield from _charts(kind, [trace], titles, place)


def _chart(kind: Kind, traces: Sequence[Mapping[str, Any]], titles: Any, place: Place) -> Chart | None:
    given = [_words(trace.get("name")) or ("" if len(traces) == 1 else "trace") for trace in traces]
    named = dict(zip(distinct(given)[0], traces, strict=True))
    if kind == "histogram":
        return Chart.histogram({name: plotly_traces.samples(trace, place) for name, trace in named.items()}, **titles)
    series: dict[str, Points] = {name: plotly_traces.points(trace, place) for name, trace in named.items()}
    if kind == "scatter":
        if all(isinstance(x, float) for points in series.values() for x, _ in points):
            pairs = {name: [point for point in points if point[1] is not None] for name, points in series.items()}
            return Chart(kind, plotly_traces.thinned_pairs(pairs, place), **titles)
        place.note("points whose x is not a number are joined by lines.")
        kind = "line"
    fitting = plotly_traces.aligned(series)
    if fitting is None:
        return None
    x, values = plotly_traces.thinned(kind, *fitting, place)
    return Chart(kind, values, x, **titles)


def _titles(layout: Mapping[str, Any], axes: tuple[str, str], sideways: bool) -> dict[str, str]:
    x, y = (_title(layout.get(f"{axis[0]}axis{axis[1:]}")) for axis in axes)
    if sideways:
        x, y = y, x
    return {"title": _title(layout), "x_label": x, "y_label": y}


def _title(part: Any) -> str:
    title = part.get("title", "") if isinstance(part, dict) else ""
    return _words(title.get("text") if isinstance(title, dict) else title)


def _words(text: Any) -> str:
    """Return a title or name without its markup."""
    return TAG.sub("", BREAK.sub(" ", text or ""))[:LONGEST_WORDS] if isinstance(text, str | None) else str(text)
