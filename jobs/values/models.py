"""Convert models, dataclasses and other types with named fields to mappings, so that their values are converted too."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, PlainSerializer, RootModel, WrapSerializer

from jobs.values.places import Place

Form = Callable[[Any, Place], Any]


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type without named fields."""
    if issubclass(kind, RootModel):
        return lambda value, _place: value.root
    if issubclass(kind, BaseModel):
        return _dumped if kind.__pydantic_decorators__.model_serializers else _of_model
    if dataclasses.is_dataclass(kind):
        return _of_fields([field.name for field in dataclasses.fields(kind)])
    if fields := getattr(kind, "__attrs_attrs__", None):
        return _of_fields([field.name for field in fields])
    if fields := getattr(kind, "__struct_fields__", None):  # of the package msgspec
        return _of_fields(fields)
    if hasattr(kind, "__get_pydantic_core_schema__"):
        return _by_schema
    return None


def _of_fields(names: Sequence[str]) -> Form:
    return lambda value, _place: {name: getattr(value, name) for name in names if hasattr(value, name)}


def _by_schema(value: Any, _place: Place) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(type(value)).dump_python(value, mode="json")


def _dumped(value: BaseModel, _place: Place) -> Any:
    return value.model_dump(by_alias=True, warnings=False)


def _of_model(value: BaseModel, _place: Place) -> Any:
    """Return a model's fields as they are, because pydantic would take images and files apart.

    A field with a serialiser of its own has the form that this gives it in JSON.
    """
    kind = type(value)
    serialised = _serialised(kind)
    kept: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        alias = field.serialization_alias or name
        if name in serialised:
            kept |= value.model_dump(mode="json", by_alias=True, include={name}, fallback=str, warnings=False)
        elif not field.exclude and not (field.exclude_if and field.exclude_if(getattr(value, name))):
            kept[alias] = getattr(value, name)
    computed = {field.alias or name: getattr(value, name) for name, field in kind.model_computed_fields.items()}
    return {**kept, **(value.model_extra or {}), **computed}


def _serialised(kind: type[BaseModel]) -> frozenset[str]:
    """Return the names of the fields that have a serialiser of their own."""
    decorated = {name for one in kind.__pydantic_decorators__.field_serializers.values() for name in one.info.fields}
    if "*" in decorated:
        return frozenset(kind.model_fields)
    fields = kind.model_fields.items()
    return frozenset(decorated | {name for name, field in fields if any(map(_is_serialiser, _within(field)))})


def _within(field: Any) -> Iterator[Any]:
    """Yield what annotates a field, at any depth."""
    yield from field.metadata
    waiting = [field.annotation]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(get_args(one))


def _is_serialiser(one: Any) -> bool:
    return isinstance(one, PlainSerializer | WrapSerializer)
