"""Convert the figures of Matplotlib to drawings. It is not imported: its figures bring it."""

import io
import sys
from collections.abc import Callable
from typing import Any

from jobs.values.errors import NoForm
from jobs.values.images import DRAWING, PNG
from jobs.values.places import Place

Form = Callable[[Any, Place], Any]
LARGEST_SVG_BYTES = 2_000_000
# CSS has 96 pixels to the inch; twice as many are sharp on any screen.
PIXELS_PER_INCH = 96
FINE_PIXELS_PER_INCH = 192
# Letters are drawn as paths, so that they look the same without the fonts of this machine. The salt keeps ids equal.
SETTINGS = {"svg.fonttype": "path", "svg.hashsalt": "figure", "svg.image_inline": True}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type that has no figure."""
    matplotlib = sys.modules.get("matplotlib.figure")
    if matplotlib is None:
        return None
    if issubclass(kind, matplotlib.Figure):
        return _drawn
    if issubclass(kind, sys.modules["matplotlib.artist"].Artist):  # axes, lines, bars
        return lambda value, _place: _known(value.get_figure(root=True))
    if str(kind.__module__).startswith("seaborn.") and hasattr(kind, "figure"):  # grids of axes
        return lambda value, _place: _known(value.figure)
    return None


def figures_in(array: Any) -> list[Any]:
    """Return each figure once of an array of axes, as `plt.subplots` and `DataFrame.hist` return it."""
    artist = sys.modules.get("matplotlib.artist")
    if artist is None or not all(isinstance(one, artist.Artist) for one in array.flat):
        return []
    return list({id(figure): figure for one in array.flat if (figure := one.get_figure(root=True))}.values())


def _known(figure: Any) -> Any:
    if figure is None:
        raise NoForm("It belongs to no figure.")
    return figure


def _drawn(figure: Any, place: Place) -> Any:
    from jobs.values import svg  # imported here because every process would hold the XML parser

    content = _saved(figure, "svg", metadata=NO_METADATA)
    if len(content) <= LARGEST_SVG_BYTES:
        return place.files.drawing(io.BytesIO(svg.sanitised(content)), DRAWING, _size(figure), place)
    place.note("the figure has too many parts for a drawing of lines, and is shown as pixels.")
    content = _saved(figure, "png", dpi=FINE_PIXELS_PER_INCH)
    return place.files.drawing(io.BytesIO(content), PNG, _size(figure, FINE_PIXELS_PER_INCH), place)


def _saved(figure: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    with sys.modules["matplotlib"].rc_context(SETTINGS):
        figure.savefig(stream, format=kind, **options)
    return stream.getvalue()


def _size(figure: Any, pixels_per_inch: int = PIXELS_PER_INCH) -> tuple[int, int]:
    width, height = (max(1, round(float(inches) * pixels_per_inch)) for inches in figure.get_size_inches())
    return width, height
