"""Types with form fields, and the start errors for types without one."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue
from typing_extensions import TypedDict

from jobs.authoring.task import TaskError
from tests.support.gallery import Circle, Rectangle
from tests.webapp.forms.test_compounds import read
from tests.webapp.forms.test_scalars import of
from webapp import forms


@dataclass
class Pair:
    left: int
    right: str = "x"


class Typed(TypedDict):
    left: int
    right: list[int]


@pytest.mark.parametrize("annotation", [Pair, Pair | None, Typed])
def test_dataclasses_and_typed_dictionaries_are_groups_too(annotation: Any) -> None:
    task = of(annotation)
    posted = {"it": "given", "it.left": "1", "it.right": "0" if annotation is Typed else "y", "it.right.0": "2"}
    parameters, _form = read(posted, task)
    assert parameters is not None
    assert task.parameters.model_validate(parameters.model_dump(mode="json")) == parameters
    _parameters, form = read(posted | {"it.left": "x"}, task)
    assert form.errors == {"it.left": "Enter a whole number."}


class Tree(BaseModel):
    branches: list["Tree"] = []


class Renamed(BaseModel):
    name: Annotated[str, Field(alias="other")]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Tree, "contains Tree within Tree"),
        (Circle | Rectangle, r"is a union without a discriminator\. Use one type, or models with a discriminator"),
        (int | str, "is a union without a discriminator"),
        (list, "has a type without a form field"),
        (dict[str, Any], "has a type without a form field"),
        (dict[Literal[1, 2], str], "has dictionary keys of another type than strings"),
        (dict[float, str], "has dictionary keys of another type than strings"),
        (Renamed, "has an alias"),
        (JsonValue, "without a form field|is a union|contains"),
        (list[complex], "is a complex number"),
    ],
)
def test_what_has_no_field_stops_the_start_by_name(annotation: Any, words: str) -> None:
    with pytest.raises(TaskError, match=rf"test_scalars\.py:\d+: task 'one': parameter 'it' .*({words})"):
        forms.fields_of(of(annotation))
