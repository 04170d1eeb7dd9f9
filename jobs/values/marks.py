"""Stored values of a type of their own: a dict whose only key, the mark, names the type."""

from typing import TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def model_in(value: object, mark: str, model: type[M]) -> M | None:
    """Return the model in a stored value with this mark, or None if the value does not have that form.

    A task can return a dict of the same form, so check a reference to a file before trusting it.
    """
    if not isinstance(value, dict) or set(value) != {mark}:
        return None
    try:
        return model.model_validate(value[mark])
    except (ValueError, TypeError):
        return None
