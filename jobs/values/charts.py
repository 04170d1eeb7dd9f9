"""Charts that a task returns or emits. Only the numbers are stored; pages draw them."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self, TypedDict, Unpack

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_serializer,
    model_validator,
)

from jobs.values import numpy_values
from jobs.values.files import REFUSED
from jobs.values.marks import model_in
from jobs.values.places import Notes, Place
from jobs.values.text import in_unicode

CHART = "$chart"
# The limits within which a page draws a chart in 0.1 s and readers can still tell the series apart.
MOST_SERIES = 8
MOST_POINTS = {"bar": 500, "line": 5000, "scatter": 1000, "histogram": 500}
LARGEST = 1e100
LARGEST_WHOLE = 2.0**50  # below this, a float can represent the halves between whole numbers
BINS = 20
LONGEST_WORDS = 200


def _listed(value: Any) -> Any:
    """Return an array or a column as a list; other values unchanged."""
    if form := numpy_values.form_of(type(value)):
        return form(value, Place(Notes(), REFUSED, value))
    listed = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return listed() if listed else value


def _words(value: Any) -> Any:
    return in_unicode(value) if isinstance(value, str) else value


def _label(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if type(value).__name__ in ("Interval", "Period") else value


def _named(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"": value}


def _visible(value: float) -> float:
    return value if abs(value) > 1 / LARGEST else 0.0


def _kind(values: Any) -> str:
    return "pairs" if isinstance(values, Sequence) and values and isinstance(values[0], list | tuple) else "values"


Kind = Literal["bar", "line", "scatter", "histogram"]
Words = Annotated[str, Field(max_length=LONGEST_WORDS), BeforeValidator(_words)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST), AfterValidator(_visible)]
Label = Annotated[Words | Number, BeforeValidator(_label)]
Values = Annotated[Sequence[Number | None], Tag("values")]
Pairs = Annotated[Sequence[tuple[Number, Number]], Tag("pairs")]
Points = Annotated[Values | Pairs, Discriminator(_kind), BeforeValidator(_listed)]


class Labels(TypedDict, total=False):
    """The title and the axis labels of a chart."""

    title: str
    x_label: str
    y_label: str


class Chart(BaseModel):
    """A chart: `Chart("line", {"loss": [0.9, 0.4, 0.2]}, x=[1, 2, 3], title="Training")`.

    `kind` is "bar", "line", "scatter" or "histogram". Each series has one value per `x`, or None for a gap; without
    `x`, values are numbered from 1. The `x` of bars and lines are texts or numbers. A scatter chart has numeric `x`, or
    no `x` and pairs `(x, y)` as its series. The `x` of a histogram are the edges of its bins, one more than the number
    of counts; `Chart.histogram(values)` computes both. Lists may be arrays, and a single series needs no name.

    Limits: 8 series; in total 500 bars or bins, 5,000 points of lines or 1,000 points of a scatter chart; values must
    be finite and at most 1e100. Raises ValueError when the chart cannot be drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Kind
    series: Annotated[Mapping[Words, Points], BeforeValidator(_named)]
    x: Annotated[Sequence[Label], BeforeValidator(_listed)] = ()
    title: Words = ""
    x_label: Words = ""
    y_label: Words = ""

    def __init__(self, kind: Kind, series: Iterable[Any], x: Iterable[Any] = (), **labels: Unpack[Labels]) -> None:
        try:
            super().__init__(kind=kind, series=series, x=x, **labels)
        except ValidationError as error:
            raise ValueError(f"This chart cannot be drawn: {_first(error)}.") from None

    @classmethod
    def histogram(cls, values: Iterable[Any], bins: int | None = None, **labels: Unpack[Labels]) -> "Chart":
        """Return a histogram of the values, with bins of equal width that all series share. None and NaN are skipped.

        `bins` defaults to 20. Whole numbers get at most 20 bins, each covering the same number of integers, with edges
        between integers.
        """
        named = {name: _finite(_listed(one)) for name, one in _named(values).items()}
        everything = [value for one in named.values() for value in one] or [0.0]
        least, most = min(everything), max(everything)
        whole = bins is None and max(-least, most) < LARGEST_WHOLE and all(value.is_integer() for value in everything)
        edges = _whole_edges(least, most) if whole else _edges(least, most, BINS if bins is None else bins)
        counts = {name: _counted(one, edges) for name, one in named.items()}
        labels.setdefault("y_label", "Count")
        return cls("histogram", counts, edges, **labels)

    @property
    def positions(self) -> Sequence[str | float]:
        """The x positions of every series' values; not used when the series are pairs."""
        return self.x or range(1, self._length + 1)

    @property
    def pairs(self) -> bool:
        """Return whether the series are pairs `(x, y)`."""
        return any(isinstance(one, tuple | list) for values in self.series.values() for one in values)

    def points(self, name: str) -> Iterator[tuple[Any, Any]]:
        """Return the points `(x, y)` of a series; `y` is None in a gap."""
        values: Sequence[Any] = self.series[name]
        return iter(values) if self.pairs else zip(self.positions, values, strict=False)

    @property
    def _length(self) -> int:
        return max(map(len, self.series.values()), default=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        lengths = {len(values) for values in self.series.values()}
        if not 0 < len(self.series) <= MOST_SERIES:
            raise ValueError(f"a chart has 1 to {MOST_SERIES} series, not {len(self.series)}")
        if (points := sum(map(len, self.series.values()))) > (most := MOST_POINTS[self.kind]):
            advice = "draw every tenth, or averages" if self.kind != "bar" else "draw only the largest"
            raise ValueError(f"a {self.kind} chart has at most {most:,} points, not {points:,}: {advice}")
        if self.pairs:
            if self.kind != "scatter" or self.x:
                raise ValueError("only a scatter chart without x can have pairs as its series")
        elif len(lengths) > 1 or (self.x and len(self.x) != self._length + (self.kind == "histogram")):
            raise ValueError(f"every series must have one value per x: {len(self.x)}, not {sorted(lengths)}")
        if self.kind in ("scatter", "histogram") and not all(isinstance(x, float) for x in self.x):
            raise ValueError(f"the x of a {self.kind} chart must be numbers")
        if self.kind == "histogram" and (not self.x or list(self.x) != sorted(set(self.x))):
            raise ValueError("the x of a histogram must be the edges of its bins, in ascending order")
        return self

    @model_serializer(mode="wrap")
    def _kept(self, fields: Any) -> dict[str, Any]:
        return {CHART: fields(self)}


def chart_in(value: object) -> Chart | None:
    """Return the chart in a stored value, or None if the value is not a valid chart."""
    return model_in(value, CHART, Chart)


def _first(error: ValidationError) -> str:
    errors = error.errors()
    # A label is a text or a number, so pydantic reports an error for each. The one about the text is not useful.
    first = next((one for one in errors if one["type"] != "string_type"), errors[0])
    place = first["loc"][:2] if first["loc"][:1] == ("x",) else first["loc"]
    where = " ".join(str(part) for part in place if part not in ("", "values", "pairs"))
    return f"{where}: {first['msg']}".removeprefix(": ").replace("Value error, ", "")


def _finite(values: Any) -> list[float]:
    return [_visible(float(value)) for value in values if value is not None and math.isfinite(value)]


def _edges(least: float, most: float, bins: int) -> list[float]:
    if not 0 < bins <= MOST_POINTS["histogram"]:
        raise ValueError(f"a histogram has 1 to {MOST_POINTS['histogram']} bins, not {bins}")
    if most == least:
        half = max(0.5, abs(most) * 1e-9)
        least, most = max(-LARGEST, least - half), min(LARGEST, most + half)
    # A set, because there may be only one bin between two adjacent floats.
    between = (min(most, least + (most - least) * (number / bins)) for number in range(bins))
    return sorted({least, *map(_visible, between), most})


def _whole_edges(least: float, most: float) -> list[float]:
    width = math.ceil((most - least + 1) / BINS)
    return [least - 0.5 + width * number for number in range(math.ceil((most - least + 1) / width) + 1)]


def _counted(values: list[float], edges: list[float]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(bisect_right(edges, value), len(counts)) - 1] += 1
    return counts
