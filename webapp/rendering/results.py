"""Results: the template and parts of a value, and its short form for a row."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, islice
from typing import Any

from flask import Flask
from markupsafe import Markup

from jobs.runs import Run, stored_in
from jobs.values import chart_in, html_in, kept_file_in, label_of, markdown_in, picture_in
from webapp.current import backend
from webapp.rendering import fragments, guards
from webapp.rendering.files import safe_filename
from webapp.rendering.tables import Table, first_view, table_in

# A row shows three lines of a result; longer texts would waste bandwidth, and memory for every page.
LONGEST_TEXT = 1000
MOST_ITEMS = 50
LONGEST_NAME = 200
# Nested parts are indented down to this depth; deeper ones are shown on one line.
DEEPEST = 6
# A longer list is not shown part by part.
MOST_PARTS = 100
# A longer text is folded.
MOST_LINES, MOST_CHARACTERS = 40, 5000
SHOWN_ALONE = frozenset({"chart", "file", "html", "markdown", "picture", "several", "table"})


@dataclass(frozen=True)
class Result:
    """A result or partial result of a run, or a part of one, as a page shows it.

    `known` holds the hashes of the files that the run has stored. `part` is the path to the value in the run's result,
    as item numbers from the outside in; None for a value outside a result, which has no address. `brief` values are
    shown in rows, without controls. Without `files`, the reader does not see the run's files.
    """

    run_id: int
    task: str
    value: Any
    known: frozenset[str] = frozenset()
    part: tuple[int, ...] | None = None
    depth: int = 0
    brief: bool = False
    files: bool = True

    @cached_property
    def shape(self) -> str:
        """The name of the template in results/ for this value."""
        if not isinstance(self.value, dict | list):
            return "text" if isinstance(self.value, str) else "scalar"
        return next(shape for shape, is_it in SHAPES.items() if is_it(self))

    @property
    def stands_alone(self) -> bool:
        """Return whether the value needs a block of its own rather than inline text."""
        return self.shape in SHOWN_ALONE

    @cached_property
    def table(self) -> Table | None:
        return table_in(self.value)

    @property
    def parts(self) -> Iterator["Result"]:
        """The items of a list or the values of a dict."""
        values = self.value.values() if isinstance(self.value, dict) else self.value
        return (self._part(number, value) for number, value in enumerate(values))

    @property
    def named(self) -> Mapping[str, "Result"]:
        """The parts of a dict by name."""
        return dict(zip(self.value, self.parts, strict=True))

    @property
    def blocks(self) -> Iterator[tuple[str, list[tuple[str, "Result"]]]]:
        """The parts with their names, or "" in a list, in groups: drawings, which share a row, values, or one other."""
        names = self.value if isinstance(self.value, dict) else [""] * len(self.value)
        parts = enumerate(zip(names, self.parts, strict=True))
        for (kind, _), group in groupby(parts, key=lambda one: _block(one[0], one[1][1])):
            yield kind, [part for _, part in group]

    @property
    def is_rich(self) -> bool:
        """Return whether there are several values of which some can be downloaded."""
        first = islice(self.parts, MOST_PARTS) if self.shape == "mapping" else ()
        return self.shape == "several" or any(part.stands_alone for part in first)

    @property
    def is_drawing(self) -> bool:
        """Return whether the value is a chart or an image."""
        file = kept_file_in(self.value) if self.shape == "file" else None
        return self.shape in ("chart", "picture") or bool(file and file.width)

    @property
    def lines(self) -> int:
        return str(self.value).count("\n") + 1

    @property
    def is_long(self) -> bool:
        """Return whether a text is so long that it is folded."""
        return self.lines > MOST_LINES or len(self.value) > MOST_CHARACTERS

    @property
    def address(self) -> str | None:
        """The name of this part in a URL; None for the whole result."""
        return ".".join(map(str, self.part)) if self.part else None

    def _part(self, number: int, value: Any) -> "Result":
        place = None if self.part is None else (*self.part, number)
        return replace(self, value=value, part=place, depth=self.depth + 1)


def _block(number: int, part: Result) -> tuple[str, int]:
    """Return the kind of block that shows a part, and a number that equals that of its neighbours in the same block."""
    if part.is_drawing:
        return "drawings", 0
    return ("one", number) if part.stands_alone else ("values", 0)


def _is_picture(result: Result) -> bool:
    picture = picture_in(result.value)
    return picture is not None and picture.sha256 in result.known


def _is_file(result: Result) -> bool:
    file = kept_file_in(result.value)
    return file is not None and file.sha256 in result.known


def _is_several(result: Result) -> bool:
    few = isinstance(result.value, list) and len(result.value) <= MOST_PARTS
    return few and any(part.stands_alone for part in result.parts)


# The first match applies, so the order matters: later entries accept more.
SHAPES: Mapping[str, Callable[[Result], bool]] = {
    "withheld": lambda result: not result.files and bool(picture_in(result.value) or kept_file_in(result.value)),
    "picture": _is_picture,
    "file": _is_file,
    "markdown": lambda result: markdown_in(result.value) is not None,
    "html": lambda result: html_in(result.value) is not None,
    "chart": lambda result: chart_in(result.value) is not None,
    "deep": lambda result: result.depth > DEEPEST,
    "table": lambda result: result.table is not None,
    "several": _is_several,
    "mapping": lambda result: isinstance(result.value, dict),
    "sequence": lambda result: True,
}


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(file=kept_file_in, full_result=full_result, brief_result=brief_result)
    app.jinja_env.filters.update(label=label_of, shortened=shortened, stored=stored, safe_filename=safe_filename)
    app.jinja_env.globals.update(drawn=drawn, first_view=first_view)


def shortened(name: str) -> str:
    """Return the name of a column or value, cut if it is long."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def full_result(run: Run) -> Result:
    """Return a run's whole result."""
    files = run.access.files
    known = stored_in(backend().database, run.id, run.result) if files else frozenset[str]()
    return Result(run.id, run.task, run.result, known, (), files=files)


def brief_result(run: Run) -> Result:
    """Return a run's result for a row, which shows its beginning, or all of it for a task with its own template."""
    return replace(full_result(run), brief=True)


def drawn(result: Result, run: Run | None = None) -> Markup:
    """Render a value by the task's own template for a whole result if there is one, otherwise by its shape.

    The own template sees the run too. After an error the value is rendered by the next of these, and last as the JSON
    that is stored.
    """
    return fragments.escaped(guards.first_drawn(result.run_id, _ways(result, run)))


def _ways(result: Result, run: Run | None) -> Iterator[guards.Way]:
    """Yield the templates that can render a value, the best one first."""
    if result.part == ():
        own = f"results/{result.task}.html"
        yield own, lambda: fragments.render(own, result=result, run=run)
    yield "the template of its shape", lambda: _by_shape(result)
    yield "its JSON", lambda: fragments.render("results/_raw.html", text=_raw(result))


def _by_shape(result: Result) -> str:
    shown = _beginning(result) if result.brief and result.part == () else result
    return fragments.render(f"results/_{shown.shape}.html", result=shown)


def _raw(result: Result) -> str:
    return stored(result.value) if result.brief else json.dumps(result.value, ensure_ascii=False, indent=2)


def stored(value: Any) -> str:
    """Return the beginning of a value's JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return f"{text[:LONGEST_TEXT]}…" if len(text) > LONGEST_TEXT else text


def _beginning(result: Result) -> Result:
    """Return as much of a value as fits in a row; of several values, the first."""
    if result.shape == "several":
        return _beginning(next(result.parts))
    return result if result.shape == "table" else replace(result, value=_cut(result))


def _cut(result: Result) -> Any:
    value = result.value
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}…"
    if not isinstance(value, dict | list):
        return value
    if result.depth > DEEPEST:
        return "…"
    if chart := chart_in(value):
        return chart.title or "A chart"
    if (file := kept_file_in(value)) and result.shape == "file":
        return safe_filename(file.name)
    if result.shape == "picture":
        return "A picture" if result.depth else value
    few = [_cut(part) for part in islice(result.parts, MOST_ITEMS)]
    return few if isinstance(value, list) else dict(zip(map(shortened, value), few, strict=False))
