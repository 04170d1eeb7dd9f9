"""Hypothesis strategies for signatures and for submissions of their forms."""

import inspect
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import GenericAlias
from typing import Annotated, Any, Literal
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel, EmailStr, Field, HttpUrl, NaiveDatetime, SecretStr, create_model
from werkzeug.datastructures import MultiDict

from jobs import LongText, Show, task
from jobs.authoring.task import Task
from webapp import forms
from webapp.forms.texts import DURATION

Draw = Callable[[st.SearchStrategy[Any]], Any]

PATTERNS = ("^[a-z]+$", "[a-z]", r"^\d{2}-\w+$", "^a|b$", r"[\w.-]+@", "^(ab)*$", r"^\S", r"x{2,3}")
COLOURS = [f"colour {number}" for number in range(30)]
BOUND = st.integers(-1000, 1000)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def numbers(draw: Draw, kind: type) -> Any:
    """A number's annotation, with limits that leave something."""
    least, most = sorted((draw(BOUND), draw(BOUND)))
    limits: dict[str, Any] = {}
    if draw(st.booleans()):
        limits[draw(st.sampled_from(["ge", "gt"]))] = kind(least)
    if draw(st.booleans()):
        limits[draw(st.sampled_from(["le", "lt"]))] = kind(most + 20)
    steps: dict[type, list[Any]] = {int: [1, 3, 10], float: [0.25, 0.1, 3.0], Decimal: [Decimal("0.05"), Decimal(7)]}
    if draw(st.booleans()):
        limits["multiple_of"] = draw(st.sampled_from(steps[kind]))
    elif kind is Decimal and draw(st.booleans()):
        limits |= {"decimal_places": draw(st.integers(0, 3)), "max_digits": draw(st.integers(4, 9))}
    return Annotated[kind, Field(**limits)]


@st.composite
def words(draw: Draw) -> Any:
    least, most = draw(optional(st.integers(0, 5))), draw(optional(st.integers(5, 20)))
    kind = draw(st.sampled_from([str, LongText]))
    pattern = draw(optional(st.sampled_from(PATTERNS)))
    return Annotated[kind, Field(min_length=least, max_length=most, pattern=pattern)]


@st.composite
def days(draw: Draw) -> Any:
    first = draw(st.dates(date(1990, 1, 1), date(2030, 1, 1)))
    lower, upper = draw(st.sampled_from(["ge", "gt"])), draw(st.sampled_from(["le", "lt"]))
    limits = {lower: first, upper: first + timedelta(draw(st.integers(5, 500)))}
    return Annotated[date, Field(**limits)]


@st.composite
def clocks(draw: Draw) -> Any:
    """Times of day, and moments without a zone, with ends also between two milliseconds."""
    kind = draw(st.sampled_from([time, NaiveDatetime]))
    first = draw(st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 1, 12)))  # none has a zone
    last = first + timedelta(hours=10)
    ends = (first.time(), last.time()) if kind is time else (first, last)
    lower, upper = draw(st.sampled_from(["ge", "gt"])), draw(st.sampled_from(["le", "lt"]))
    return Annotated[kind, Field(**dict(zip((lower, upper), ends, strict=True)))]


def choices() -> st.SearchStrategy[Any]:
    some: st.SearchStrategy[Any] = st.integers(1, 30).map(lambda count: Literal[tuple(COLOURS[:count])])
    members = st.integers(1, 8).map(lambda count: Enum("Made", [(f"NAME_{n}", n) for n in range(count)]))
    return some | members


LEAVES = st.one_of(
    numbers(int),
    numbers(float),
    numbers(Decimal),
    words(),
    days(),
    clocks(),
    choices(),
    st.sampled_from([bool, datetime, NaiveDatetime, time, timedelta, UUID, EmailStr, HttpUrl]),
    st.just(Annotated[int, Field(ge=0, le=10**30)]),
    st.just(Annotated[SecretStr, Field(min_length=2, max_length=20)]),
)


@st.composite
def models(draw: Draw, inner: st.SearchStrategy[Any], tag: str = "") -> type[BaseModel]:
    names = [f"part_{number}" for number in range(draw(st.integers(1, 3)))]
    parts: dict[str, Any] = {name: (draw(shown(inner)), ...) for name in names}
    parts |= {"tag": (Literal[tag], ...)} if tag else {}
    made: type[BaseModel] = create_model("Model", **parts)
    return made


@st.composite
def shown(draw: Draw, inner: st.SearchStrategy[Any]) -> Any:
    look = Show(group=draw(st.sampled_from(["", "", "Group"])), advanced=draw(st.booleans()))
    return Annotated[draw(inner), look]


@st.composite
def unions(draw: Draw, inner: st.SearchStrategy[Any]) -> Any:
    return Annotated[draw(models(inner, "one")) | draw(models(inner, "two")), Field(discriminator="tag")]


def compounds(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    limits = st.builds(lambda least, more: Field(min_length=least, max_length=least + more), BOUND_ROWS, BOUND_ROWS)
    lists = st.builds(lambda item, limit: Annotated[GenericAlias(list, (item,)), limit], inner, limits)
    pairs = st.lists(inner, min_size=1, max_size=3).map(lambda items: GenericAlias(tuple, tuple(items)))
    named = inner.map(lambda item: GenericAlias(dict, (str, item)))
    sets = choices().map(lambda one: GenericAlias(set, (one,)))
    either = st.one_of(lists, pairs, named, sets, models(inner), unions(inner))
    return either | either.map(lambda one: one | None)


BOUND_ROWS = st.integers(0, 3)
ANNOTATIONS = st.recursive(LEAVES | LEAVES.map(lambda leaf: leaf | None), compounds, max_leaves=4)


@st.composite
def tasks(draw: Draw) -> Task:
    """A task with a few parameters."""
    names = [f"parameter_{number}" for number in range(draw(st.integers(1, 3)))]
    annotations = [draw(shown(ANNOTATIONS)) for _name in names]
    kind = inspect.Parameter.KEYWORD_ONLY
    pairs = zip(names, annotations, strict=True)
    parameters = [inspect.Parameter(name, kind, annotation=annotation) for name, annotation in pairs]

    def one(**values: Any) -> None: ...

    one.__dict__["__signature__"] = inspect.Signature(parameters)
    made = task(one).__dict__["__task__"]
    assert isinstance(made, Task)
    return made


NO_BREAKS = str.maketrans("", "", "\r\n")  # a browser takes them out of one line


def texts(field: forms.Field) -> st.SearchStrategy[str]:
    """Generate texts that a user may enter: mostly valid ones, sometimes arbitrary ones."""
    line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)
    return st.one_of(TEXTS.get(field.kind, line), TEXTS.get(field.kind, line), line, st.just(""))


def _number(places: int) -> st.SearchStrategy[str]:
    exact = st.decimals(-1200, 1200, places=places).map(lambda number: f"{number:f}")
    return exact | st.integers(-1200, 1200).map(str) | st.floats().map(str)


TEXTS: dict[str, st.SearchStrategy[str]] = {
    "integer": st.integers(-1200, 1200).map(str) | st.sampled_from(["1e2", "3.0", "-0", "1e400", "007"]),
    "digits": st.integers(-5, 10**31).map(str),
    "number": _number(2),
    "decimal": _number(2) | _number(4),
    "text": st.sampled_from(PATTERNS).flatmap(st.from_regex).map(lambda one: one.translate(NO_BREAKS)[:25]),
    "long_text": st.text(st.characters(codec="utf-8"), max_size=25),
    "date": st.dates().map(str) | st.dates(date(1989, 1, 1), date(2032, 1, 1)).map(str),
    "wall_clock": st.datetimes(datetime(2025, 12, 31), datetime(2026, 1, 2)).map(  # none has a zone
        lambda one: one.isoformat("T", "milliseconds")
    )
    | st.datetimes().map(lambda one: one.isoformat("T", "minutes")),
    "moment": st.datetimes().map(lambda one: one.isoformat("T", "seconds")),
    "time": st.times().map(lambda one: one.isoformat("milliseconds")),
    "duration": st.from_regex(DURATION, fullmatch=True),
    "uuid": st.uuids().map(str),
    "email": st.from_regex("[a-z]{1,9}@[a-z]{1,9}[.](com|org)", fullmatch=True),
    "url": st.from_regex("https?://[a-z]{1,9}[.](com|org)(/[a-z]{0,5})?", fullmatch=True),
}


@st.composite
def posts(draw: Draw, task: Task) -> MultiDict[str, str]:
    """Generate submissions of a task's form as browsers may send them."""
    posted: MultiDict[str, str] = MultiDict()
    for field in forms.fields_of(task):
        _post(draw, field, posted)
    return posted


def _post(draw: Draw, field: forms.Field, posted: MultiDict[str, str]) -> None:
    name, group = field.name, field
    if field.item:
        for number in draw(st.lists(st.integers(0, 999), max_size=3, unique=True)):
            posted.add(name, str(number))
            _post(draw, field.item.placed(f"{name}.{number}"), posted)
    elif field.variants:
        variant = draw(st.sampled_from(field.variants) if field.required else optional(st.sampled_from(field.variants)))
        if variant is None:
            return
        posted.add(name, variant.tag)
        posted.add(f"{name}._shown", variant.tag)
        group = variant.group
    elif not field.is_compound:
        for text in _entered(draw, field):
            posted.add(name, text)
    for child in group.children:
        _post(draw, child.placed(f"{name}.{child.name}"), posted)


def _entered(draw: Draw, field: forms.Field) -> list[str]:
    offered = [choice.text for choice in field.choices]
    if field.kind == "switch":
        return ["true"] * draw(st.integers(0, 1))
    if field.kind == "checks":
        return list(draw(st.lists(st.sampled_from(offered), max_size=4, unique=True)))
    return [draw(st.sampled_from(offered) | texts(field) if offered else texts(field))]
