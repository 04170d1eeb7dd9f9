"""Secret parameters: whatever shape a model writes itself in, what is kept of it has no secret in clear."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, PlainSerializer, Secret
from typing_extensions import TypedDict

from jobs import TaskError, task


class Pin(Secret[int]):
    """A secret that is no text."""


class Card(BaseModel):
    pin: Pin


@dataclass
class Door:
    code: Secret[str]


class Safe(TypedDict):
    code: Secret[date]


WrittenOut = Annotated[Secret[str], PlainSerializer(lambda secret: secret.get_secret_value())]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Secret[str], "token"),
        (Pin | None, "token"),
        (WrittenOut, "token"),
        (dict[str, list[Card]], "pin"),
        (Card | Door, "pin"),
        (tuple[Door, int], "code"),
        (Safe, "code"),
    ],
)
def test_a_secret_of_a_type_of_its_own_is_refused_where_the_task_is_defined(annotation: Any, name: str) -> None:
    def wrong(count: int, token: Any) -> None: ...

    wrong.__annotations__["token"] = annotation
    with pytest.raises(TaskError, match=f"task 'wrong': '{name}' is a Secret of a type.*use SecretStr"):
        task(wrong)
