"""Figures of Matplotlib and Plotly."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from matplotlib.figure import Figure

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # the backend is chosen before

from tests.values.case import Case, Drawing, Picture, table

KEPT = "Of the Plotly figure the numbers and titles were saved"
AS_NUMBERS = "Traces for which there is no chart are shown as their numbers."
SALES = pd.DataFrame({"year": [2024, 2025, 2024, 2025], "sold": [1, 2, 3, 4], "shop": list("aabb")})
FULL_SIZE = Drawing((614, 461))


class Grid:
    """A figure with more around it, as seaborn has them."""

    __module__ = "seaborn.axisgrid"

    def __init__(self) -> None:
        self._figure = plotted()

    @property
    def figure(self) -> Figure:
        return self._figure


def plotted(**options: Any) -> Figure:
    figure = Figure(**options)
    axes = figure.subplots()
    axes.plot([1, 2, 3], [3, 1, 2], label="a & b")
    axes.set_title("Sales <script>alert(1)</script> 漢字")
    return figure


def hostile() -> Figure:
    figure = plotted()
    (axes,) = figure.axes
    axes.text(1, 1, "link", url="javascript:alert(1)")
    axes.text(1, 2, "page", url="https://example.com/")
    axes.set_gid('"><script>alert(1)</script>')
    axes.imshow(np.eye(3))
    axes.bar([1], [2], hatch="/")
    return figure


def with_other_settings() -> Figure:
    matplotlib.rcParams.update({"svg.fonttype": "none", "font.family": "No Such Font"})
    return plotted()


def many_parts() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().scatter(*np.random.default_rng(1).random((2, 60_000)))
    return figure


def chart(kind: str, series: Any, x: Any = (), title: str = "", x_label: str = "", y_label: str = "") -> Any:
    labels = {"title": title, "x_label": x_label, "y_label": y_label}
    return {"$chart": {"kind": kind, "series": series, "x": list(x), **labels}}


def logarithmic() -> go.Figure:
    return px.line(SALES[:2], x="year", y="sold", log_y=True)


CASES = {
    "a figure": Case(plotted, FULL_SIZE, shown=["614 × 461 pixels"]),
    "a figure of pyplot": Case(lambda: plt.subplots()[0], FULL_SIZE),
    "a figure of another size": Case(lambda: {"plot": plotted(figsize=(2, 3))}, {"plot": Drawing((192, 288))}),
    "what a figure can link to": Case(hostile, FULL_SIZE),
    "settings of the task": Case(with_other_settings, FULL_SIZE),
    "axes": Case(lambda: plotted().axes[0], FULL_SIZE),
    "an array of axes": Case(lambda: plt.subplots(2, 2)[1], [FULL_SIZE]),
    "lines": Case(lambda: plotted().axes[0].plot([1, 2]), [FULL_SIZE]),
    "a plot of pandas": Case(lambda: SALES.plot(x="year", y="sold"), FULL_SIZE),
    "histograms of pandas": Case(lambda: SALES.hist(), [FULL_SIZE]),
    "a grid": Case(Grid, FULL_SIZE),
    "a figure of many parts": Case(many_parts, Picture((384, 192), {}), ["The figure has too many parts"]),
    "line": Case(
        lambda: px.line(SALES, x="year", y="sold", color="shop", title="<b>Sales</b>"),
        chart("line", {"a": [1.0, 2.0], "b": [3.0, 4.0]}, [2024.0, 2025.0], "Sales", "year", "sold"),
        [KEPT],
        ["Sales", "sold"],
    ),
    "bar": Case(
        lambda: go.Figure(go.Bar(x=["a", "b"], y=[1, None])), chart("bar", {"": [1.0, None]}, ["a", "b"]), [KEPT]
    ),
    "bars sideways": Case(
        lambda: px.bar(SALES[:1], x="sold", y="shop", orientation="h"),
        chart("bar", {"": [1.0]}, ["a"], "", "shop", "sold"),
        [KEPT],
    ),
    "stacked bars": Case(
        lambda: px.bar(SALES, x="year", y="sold", color="shop"),
        chart("bar", {"a": [1.0, 2.0], "b": [3.0, 4.0]}, [2024.0, 2025.0], "", "year", "sold"),
        [KEPT, "Bars that were stacked stand side by side."],
    ),
    "scatter": Case(
        lambda: px.scatter(SALES[:2], x="year", y="sold"),
        chart("scatter", {"": [[2024.0, 1.0], [2025.0, 2.0]]}, (), "", "year", "sold"),
        [KEPT],
    ),
    "lines with different x": Case(
        lambda: go.Figure([go.Scatter(x=[1, 3], y=[1, 3], name="a"), go.Scatter(x=[2], y=[2], name="a")]),
        chart("line", {"a": [1.0, None, 3.0], "a (2)": [None, 2.0, None]}, [1.0, 2.0, 3.0]),
        [KEPT],
    ),
    "a line through dates": Case(
        lambda: go.Figure(go.Scatter(x=pd.date_range("2026-01-02", periods=1), y=np.array([0.5]))),
        chart("line", {"": [0.5]}, ["2026-01-02T00:00:00"]),
        [KEPT],
    ),
    "histogram": Case(
        lambda: px.histogram(SALES, x="sold"),
        chart("histogram", {"": [1.0, 1.0, 1.0, 1.0]}, [0.5, 1.5, 2.5, 3.5, 4.5], "", "sold", "count"),
        [KEPT],
    ),
    "pie": Case(
        lambda: go.Figure(go.Pie(labels=["a", "b"], values=[1, 2])),
        chart("bar", {"": [1.0, 2.0]}, ["a", "b"]),
        [KEPT, "Pies are shown as bars."],
    ),
    "two kinds": Case(
        lambda: {"plot": go.Figure([go.Bar(x=["a"], y=[1]), go.Scatter(x=[1], y=[2], mode="markers")])},
        {"plot": [chart("bar", {"": [1.0]}, ["a"]), chart("scatter", {"": [[1.0, 2.0]]})]},
        ["plot: of the Plotly figure"],
    ),
    "logarithmic axes": Case(
        logarithmic,
        chart("line", {"": [1.0, 2.0]}, [2024.0, 2025.0], "", "year", "sold"),
        [KEPT, "Axes that were logarithmic are linear."],
    ),
    "more points than a chart has": Case(
        lambda: go.Figure(go.Scatter(y=list(range(20_000)))),
        chart("line", {"": [float(y) for y in range(0, 20_000, 4)]}, [float(x) for x in range(0, 20_000, 4)]),
        [KEPT, "Of 20,000 points every 4th is shown."],
    ),
    "box": Case(lambda: px.box(SALES, y="sold"), table(["y"], [1], [2], [3], [4]), [KEPT, AS_NUMBERS]),
    "heatmap": Case(
        lambda: go.Figure(go.Heatmap(z=[[1, 2], [3, 4]], x=["a", "b"])),
        table(["", "a", "b"], [0, 1, 2], [1, 3, 4]),
        [KEPT, AS_NUMBERS],
    ),
    "table": Case(
        lambda: go.Figure(go.Table(header={"values": ["A", "B"]}, cells={"values": [[1, 2], [3, 4]]})),
        table(["A", "B"], [1, 3], [2, 4]),
        [KEPT, AS_NUMBERS],
    ),
    "a figure without traces": Case(
        lambda: {"plot": go.Figure(), "n": 1}, {"plot": None, "n": 1}, ["plot: left out. The figure has no traces."]
    ),
}
