"""Convert values of any library by what they offer: cursors, records, arrays and rich representations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jobs.values.places import Place
from jobs.values.results import Html, Markdown
from jobs.values.standard_values import MOST_ITEMS
from jobs.values.tables import Table, check_size

Form = Callable[[Any, Place], Any]


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for an unknown type."""
    if kind.__module__ == "builtins":  # a function, a module, a plain object
        return None
    found = next((form for offered, form in FORMS if all(hasattr(kind, name) for name in offered)), None)
    if found is not None:
        return None if found is _items and issubclass(kind, Iterator) else found
    return None if getattr(kind, "__str__", None) is object.__str__ else _text


def _cursor(value: Any, _place: Place) -> Any:
    """Convert the rows that a database cursor still has."""
    if not value.description:
        return None
    rows = iter(value.fetchone, None)
    cells = (list(row.values()) if isinstance(row, Mapping) else row for row in rows)
    return Table([column[0] for column in value.description], cells)


def _query(value: Any, _place: Place) -> Table:
    """Convert a query of DuckDB."""
    return Table(value.columns, value.limit(MOST_ITEMS).fetchall())


def _arrow_table(value: Any, _place: Place) -> Table:
    names = value.column_names
    check_size(value.num_rows, len(names))
    return Table(names, zip(*(column.to_pylist() for column in value.columns), strict=True))


def _record(value: Any, _place: Place) -> dict[Any, Any]:
    return {key: value[key] for key in islice(value.keys(), MOST_ITEMS)}


def _items(value: Any, _place: Place) -> list[Any]:
    return list(islice(value, MOST_ITEMS))


def _text(value: Any, place: Place) -> str:
    place.note(f"a value of type {type(value).__name__} is shown as its text.")
    return str(value)


FORMS: Sequence[tuple[tuple[str, ...], Form]] = (
    (("description", "fetchone"), _cursor),
    (("columns", "limit", "fetchall"), _query),
    (("column_names", "num_rows", "columns"), _arrow_table),
    (("to_pandas_dtype",), lambda value, _place: str(value)),
    (("as_py",), lambda value, _place: value.as_py()),
    (("to_pylist",), lambda value, _place: value.to_pylist()),
    (("to_native",), lambda value, _place: value.to_native()),
    (("tolist",), lambda value, _place: value.tolist()),
    (("keys", "__getitem__"), _record),
    (("__index__",), lambda value, _place: value.__index__()),
    (("_repr_png_",), lambda value, place: place.files.content(value._repr_png_(), place)),
    (("_repr_markdown_",), lambda value, _place: Markdown(value._repr_markdown_())),
    (("_repr_html_",), lambda value, _place: Html(value._repr_html_())),
    (("__iter__",), _items),
)
