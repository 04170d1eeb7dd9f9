"""Convert the values of pandas. It is not imported: its values bring it."""

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from jobs.values.numpy_values import NANOSECONDS
from jobs.values.places import Place
from jobs.values.polars_values import UNNAMED
from jobs.values.tables import Table, check_size

Form = Callable[[Any, Place], Any]


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type that is not pandas'."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):
        return None
    if kind in (type(pandas.NaT), type(pandas.NA)):
        return lambda _value, _place: None
    if kind.__name__ == "Styler" and str(kind.__module__).startswith("pandas."):
        return _styled
    known: Sequence[tuple[Any, Form]] = (
        (pandas.Timestamp, _moment),
        (pandas.Timedelta, _duration),
        (pandas.DataFrame, _table),
        (pandas.Series, lambda value, place: _table(value.to_frame(_name_of(value.name)), place)),
        (pandas.Index, _index),
        (pandas.api.extensions.ExtensionArray, _array),
        ((pandas.Interval, pandas.Period, pandas.api.extensions.ExtensionDtype), _text),
        (pandas.tseries.offsets.BaseOffset, _text),
        (pandas.api.typing.DataFrameGroupBy, lambda value, _place: dict(list(value))),
    )
    return next((form for types, form in known if issubclass(kind, types)), None)


def _text(value: Any, _place: Place) -> str:
    return str(value)


def _name_of(name: Any, otherwise: str = UNNAMED) -> Any:
    return otherwise if name is None else name


def _moment(value: Any, place: Place) -> Any:
    if value.nanosecond:
        place.note(NANOSECONDS)
    try:
        return value.to_pydatetime(warn=False)
    except ValueError:  # Python has no year beyond 9999
        return str(value)


def _duration(value: Any, place: Place) -> Any:
    if value.nanoseconds:
        place.note(NANOSECONDS)
    try:
        return timedelta(value.days, value.seconds, value.microseconds)  # pandas itself would round
    except OverflowError:
        return str(value)


def _array(value: Any, _place: Place) -> list[Any]:
    return [None if missing else part for part, missing in zip(value.tolist(), value.isna(), strict=True)]


def _styled(value: Any, place: Place) -> Any:
    place.note("the styles of the table were left out.")
    return value.data


def _index(value: Any, _place: Place) -> Table:
    levels = _levels(value)
    return Table(list(levels), zip(*map(list, levels.values()), strict=True))


def _table(frame: Any, place: Place) -> Table:
    """Convert a data frame, with its index unless that only numbers the rows."""
    check_size(len(frame), frame.shape[1])
    if said := [str(name) for name in frame.columns.names if name is not None]:
        place.note(f"the names of columns are values of {', '.join(said)}.")
    labels = _labels(frame)
    columns = [*labels.values(), *(frame.iloc[:, number] for number in range(frame.shape[1]))]
    rows = zip(*(column.tolist() for column in columns), strict=True) if columns else [()] * len(frame)
    return Table([*labels, *frame.columns], rows)


def _labels(frame: Any) -> dict[Any, Any]:
    """Return the levels of a frame's index by name, without those that are columns too (`set_index(drop=False)`)."""
    index, names = frame.index, list(frame.columns)
    if type(index).__name__ == "RangeIndex" and index.name is None and (index.start, index.step) == (0, 1):
        return {}
    same = sys.modules["pandas"].Index
    return {
        name: level
        for name, level in _levels(index).items()
        if names.count(name) != 1 or not level.equals(same(frame[name]))
    }


def _levels(index: Any) -> dict[Any, Any]:
    """Return the levels of an index by name."""
    if index.nlevels == 1:
        return {_name_of(index.name, "index"): index}
    levels = [index.get_level_values(number) for number in range(index.nlevels)]
    names = [_name_of(level.name, f"level_{number}") for number, level in enumerate(levels)]
    return dict(zip(names, levels, strict=True))
