"""Charts: numbers that a task returns or emits to be drawn; what is kept of one is its numbers."""

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

CHART = "$chart"
# What a page draws in a tenth of a second, and a reader can still tell apart.
MOST_SERIES = 8
MOST_POINTS = {"bar": 500, "line": 5000, "scatter": 1000, "histogram": 500}
LARGEST = 1e100
LARGEST_WHOLE = 2.0**50  # up to where numbers have halves between them
BINS = 20


def _listed(value: Any) -> Any:
    """Arrays and columns as the lists that they make of themselves."""
    listed = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return listed() if listed else value


def _label(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _named(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"": value}


def _visible(value: float) -> float:
    return value if abs(value) > 1 / LARGEST else 0.0


def _kind(values: Any) -> str:
    return "pairs" if isinstance(values, Sequence) and values and isinstance(values[0], list | tuple) else "values"


Kind = Literal["bar", "line", "scatter", "histogram"]
Words = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST), AfterValidator(_visible)]
Label = Annotated[Words | Number, BeforeValidator(_label)]
Values = Annotated[Sequence[Number | None], Tag("values")]
Pairs = Annotated[Sequence[tuple[Number, Number]], Tag("pairs")]
Points = Annotated[Values | Pairs, Discriminator(_kind), BeforeValidator(_listed)]


class Labels(TypedDict, total=False):
    """The words of a chart."""

    title: str
    x_label: str
    y_label: str


class Chart(BaseModel):
    """Numbers to draw: `Chart("line", {"loss": [0.9, 0.4, 0.2]}, x=[1, 2, 3], title="Training")`.

    `kind` is "bar", "line", "scatter" or "histogram". Each series has a value for each `x`, None for a gap; without `x`
    they are numbered from 1. Bars stand at texts or numbers, and so do lines; a scatter has numbers there, or else
    pairs `(x, y)` in its series. The `x` of a histogram are the edges of its bins, one more than there are counts;
    `Chart.histogram(values)` counts. Lists may be arrays, and a single series needs no name. At most 8 series, and
    altogether 500 bars or bins, 5,000 points of lines or 1,000 of a scatter, finite and at most 1e100. Raises
    ValueError for what cannot be drawn.
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
        """Count values into so many bins of one width; series by name share the bins. None and NaN are left out.

        Where it is not said there are 20, or fewer for whole numbers: as many of these in each, and none between them.
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
        """What the values of every series stand at; nothing where they are pairs."""
        return self.x or range(1, self._length + 1)

    @property
    def pairs(self) -> bool:
        """Whether the series are pairs."""
        return any(isinstance(one, tuple | list) for values in self.series.values() for one in values)

    def points(self, name: str) -> Iterator[tuple[Any, Any]]:
        """The points of a series, with its gaps."""
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
            advice = "draw every tenth, or their means" if self.kind != "bar" else "draw the largest"
            raise ValueError(f"a {self.kind} chart has at most {most:,} points, not {points:,}: {advice}")
        if self.pairs:
            if self.kind != "scatter" or self.x:
                raise ValueError("only the series of a scatter chart without x may be pairs")
        elif len(lengths) > 1 or (self.x and len(self.x) != self._length + (self.kind == "histogram")):
            raise ValueError(f"every series needs as many values as there are x: {len(self.x)}, not {sorted(lengths)}")
        if self.kind in ("scatter", "histogram") and not all(isinstance(x, float) for x in self.x):
            raise ValueError(f"the x of a {self.kind} chart must be numbers")
        if self.kind == "histogram" and (not self.x or list(self.x) != sorted(set(self.x))):
            raise ValueError("the x of a histogram are the edges of its bins, in rising order")
        return self

    @model_serializer(mode="wrap")
    def _kept(self, fields: Any) -> dict[str, Any]:
        return {CHART: fields(self)}


def chart_in(value: object) -> Chart | None:
    """A kept value as a chart, if it is one."""
    if not isinstance(value, dict) or set(value) != {CHART}:
        return None
    try:
        return Chart.model_validate(value[CHART])
    except (ValueError, TypeError):
        return None


def _first(error: ValidationError) -> str:
    errors = error.errors()
    # A label is a text or a number, and pydantic says of both why it is not: that a number is no text helps nobody.
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
    # Of two numbers that are next to each other there may be no more than one bin.
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
