"""Convert NumPy's arrays and scalars to lists and numbers. NumPy is not imported: its values bring it."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from jobs.values.figures import figures_in
from jobs.values.places import Place
from jobs.values.tables import Table, check_size

Form = Callable[[Any, Place], Any]
NANOSECONDS = "nanoseconds were cut to microseconds."
FINER = frozenset({"ns", "ps", "fs", "as"})
# Dates of these precisions are written as NumPy writes them, such as 2026-03.
COARSE = frozenset({"Y", "M"})
DOUBLE_BYTES = {"f": 8, "c": 16}


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type that is not NumPy's."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "ndarray"):
        return None
    if issubclass(kind, numpy.ndarray):
        return _array
    if issubclass(kind, numpy.generic):
        return lambda value, place: _array(numpy.asarray(value), place)
    return (lambda value, _place: str(value)) if issubclass(kind, numpy.dtype) else None


def listed(value: Any, place: Place) -> list[Any]:
    """Return the items of an array or another sequence; none for None."""
    if value is None:
        return []
    form = form_of(type(value))
    items = form(value, place) if form else value
    return list(items)


def _array(array: Any, place: Place) -> Any:
    """Convert an array to nested lists, a structured one to a table. Masked values become None."""
    check_size(array.size, 1)
    if array.dtype.names:
        return _records(array, place)
    convert = _converter(array.dtype)
    if convert is None:
        return (array.size and array.dtype.kind == "O" and figures_in(array)) or array.tolist()
    import numpy

    parts = convert(numpy.asarray(array).ravel(), place)
    if isinstance(array, numpy.ma.MaskedArray):
        masked = numpy.ma.getmaskarray(array).ravel()
        parts = [None if hidden else part for hidden, part in zip(masked, parts, strict=True)]
    nested = numpy.empty(len(parts), dtype=object)
    for number, part in enumerate(parts):
        nested[number] = part
    return nested.reshape(array.shape).tolist()


def _records(array: Any, place: Place) -> Any:
    names = array.dtype.names
    if array.ndim > 1:
        return [_records(one, place) for one in array]
    columns = [_array(array[name], place) for name in names]
    if array.ndim == 0:
        return dict(zip(names, columns, strict=True))
    return Table(names, zip(*columns, strict=True))


def _converter(dtype: Any) -> Callable[[Any, Place], list[Any]] | None:
    """Return how values of a type are converted that NumPy itself converts wrongly."""
    if dtype.kind == "M":
        return _dates
    if dtype.kind == "m":
        return _durations
    return _extended if dtype.itemsize > DOUBLE_BYTES.get(dtype.kind, dtype.itemsize) else None


def _dates(array: Any, place: Place) -> list[Any]:
    import numpy

    unit = numpy.datetime_data(array.dtype)[0]
    known = _in_microseconds(array, unit, place)
    return _written(known, numpy.datetime_as_string(known).tolist() if unit in COARSE else None)


def _durations(array: Any, place: Place) -> list[Any]:
    import numpy

    unit = numpy.datetime_data(array.dtype)[0]
    if unit == "generic":
        return list(array.tolist())
    known = _in_microseconds(array, unit, place)
    return _written(known, [str(one) for one in known] if unit in COARSE else None)


def _in_microseconds(array: Any, unit: str, place: Place) -> Any:
    """Return dates or durations whose unit Python has, so that NumPy does not convert them to whole numbers."""
    if unit not in FINER:
        return array
    known = array.astype(f"{array.dtype.kind}8[us]")
    if ((known.astype(array.dtype) != array) & ~_missing(array)).any():
        place.note(NANOSECONDS)
    return known


def _written(array: Any, texts: Sequence[str] | None) -> list[Any]:
    """Return dates or durations as Python's, or as text where Python has none; None where one is missing."""
    missing = _missing(array)
    parts = list(array.tolist()) if texts is None else list(texts)
    for number, part in enumerate(parts):
        if missing[number]:
            parts[number] = None
        elif isinstance(part, int):  # Python has no year beyond 9999
            parts[number] = str(array[number])
    return parts


def _missing(array: Any) -> Any:
    import numpy

    return numpy.isnat(array)


def _extended(array: Any, place: Place) -> list[Any]:
    """Convert numbers with more digits than Python's, or beyond its range."""
    import numpy

    with numpy.errstate(over="ignore"):
        rounded = array.astype(complex if array.dtype.kind == "c" else float)
    if ((rounded.astype(array.dtype) != array) & numpy.isfinite(rounded)).any():
        place.note("numbers were rounded to 64 bits.")
    beyond = numpy.isfinite(array) & ~numpy.isfinite(rounded)
    return [str(exact) if far else part for exact, far, part in zip(array, beyond, rounded.tolist(), strict=True)]
