"""Secret parameters: whatever shape a model writes itself in, what is kept of it has no secret in clear."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    Secret,
    SecretStr,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from jobs import task
from jobs.authoring import secret_parameters
from jobs.authoring.secret_parameters import tokens_in
from jobs.authoring.task import Task, TaskError
from jobs.runs.backend import Backend
from jobs.runs.submission import submit
from tests.support.people import make_owner


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
    with pytest.raises(TaskError, match=f"task 'wrong': '{name}' is a typed Secret.*use SecretStr"):
        task(wrong)


TOKEN = "correct-horse-battery"


class Renaming(BaseModel):
    """Writes its fields under other names, and reads them back."""

    user: str
    password: SecretStr

    @model_serializer
    def written(self) -> dict[str, Any]:
        return {"u": self.user, "p": self.password.get_secret_value()}

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return {"user": value["u"], "password": value["p"]} if isinstance(value, dict) and "u" in value else value


class Swapping(Renaming):
    """Writes each field under the name of the other."""

    @model_serializer
    def written(self) -> dict[str, Any]:
        return {"user": self.password.get_secret_value(), "password": self.user, "swapped": True}

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        swapped = isinstance(value, dict) and value.get("swapped")
        return {"user": value["password"], "password": value["user"]} if swapped else value


class Reshaping(BaseModel):
    """Writes its secret deeper than it holds it."""

    password: SecretStr

    @model_serializer
    def written(self) -> dict[str, Any]:
        return {"logins": [{"with": self.password.get_secret_value()}], "password": None}

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return {"password": value["logins"][0]["with"]} if isinstance(value, dict) and "logins" in value else value


class Alone(BaseModel):
    """Writes itself as its secret."""

    password: SecretStr

    @model_serializer
    def written(self) -> str:
        return self.password.get_secret_value()

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return {"password": value} if isinstance(value, str) else value


class Aliased(BaseModel):
    """Is written by an alias, and read by its name too."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    password: Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value), Field(alias="passWord")]


@pydantic_dataclass
class Plate:
    """A dataclass that writes itself otherwise."""

    user: str
    password: SecretStr

    @model_serializer
    def written(self) -> dict[str, Any]:
        return {"u": self.user, "p": self.password.get_secret_value()}

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return {"user": value["u"], "password": value["p"]} if isinstance(value, dict) and "u" in value else value


class Joined(BaseModel):
    """Writes itself as one text."""

    user: str
    password: SecretStr

    @model_serializer
    def written(self) -> Any:
        return f"{self.user}:{self.password.get_secret_value()}"

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return dict(zip(("user", "password"), value.split(":", 1), strict=True)) if isinstance(value, str) else value


class Quoted(Joined):
    """Writes itself as JSON within JSON."""

    @model_serializer
    def written(self) -> str:
        return json.dumps({"user": self.user, "password": self.password.get_secret_value()})


class Keyed(Joined):
    """Writes its secret as a name."""

    @model_serializer
    def written(self) -> Any:
        return {self.password.get_secret_value(): self.user}


class Rooted(RootModel[Joined]):
    """Is what it holds."""


class Listed(RootModel[list[Renaming]]):
    """Is what it holds."""


LOGIN = {"user": "ada", "password": TOKEN}
PASSWORD = {"password": TOKEN}


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (Renaming, LOGIN),
        (Reshaping, PASSWORD),
        (Alone, PASSWORD),
        (Aliased, PASSWORD),
        (Plate, LOGIN),
        (Listed, [LOGIN, LOGIN]),
        (list[Renaming], [LOGIN]),
        (dict[str, Renaming], {"a": LOGIN}),
        (dict[date, Plate | Alone], {"2026-01-01": LOGIN}),
        (Alone | int, PASSWORD),
        (tuple[Alone, Renaming, int], [PASSWORD, LOGIN, 3]),
    ],
)
def test_a_secret_that_is_written_elsewhere_is_sealed_there_and_reaches_its_task(
    backend: Backend, annotation: Any, given: Any
) -> None:
    found, parameters = asking_for(annotation, given)
    run = submit(backend, found, make_owner(backend), parameters)
    assert TOKEN not in json.dumps(run.parameters)
    opened = backend.vault.opened(run.owner_id, tokens_in(run.parameters))
    assert set(opened.values()) == {TOKEN}
    assert found.parameters.model_validate(secret_parameters.opened(run.parameters, opened)) == parameters


@pytest.mark.parametrize(
    ("annotation", "given", "model"),
    [
        (Joined, LOGIN, "Joined"),
        (Quoted, {"user": "ada", "password": 'correct "horse"'}, "Quoted"),
        (Keyed, LOGIN, "Keyed"),
        (Rooted, LOGIN, "Joined"),
        (dict[str, list[Joined | None]], {"a": [LOGIN]}, "Joined"),
    ],
)
def test_a_secret_that_is_written_within_a_text_or_a_name_is_refused(
    backend: Backend, annotation: Any, given: Any, model: str
) -> None:
    found, parameters = asking_for(annotation, given)
    with pytest.raises(TaskError, match=f"'{model}' serializes a secret as part of.* serializer") as refused:
        submit(backend, found, make_owner(backend), parameters)
    assert TOKEN not in str(refused.value)


def test_nothing_is_kept_of_a_secret_that_is_written_in_the_place_of_another_text(backend: Backend) -> None:
    found, parameters = asking_for(Swapping, LOGIN)
    with pytest.raises(TaskError):
        submit(backend, found, make_owner(backend), parameters)
    assert secret_parameters.kept(parameters, secret_parameters.reference_to)["value"]["user"] == {"$sealed": TOKEN}


def test_texts_that_only_look_like_a_secret_stay_where_they_are_what_was_entered(backend: Backend) -> None:
    class Ticket(BaseModel):
        seat: SecretStr
        day: date
        note: str
        counts: dict[int, list[str]]

    given = {"seat": "1", "day": "2011-11-11", "note": "1 of 11", "counts": {"1": ["1"]}}
    found, parameters = asking_for(Ticket, given)
    run = submit(backend, found, make_owner(backend), parameters)
    assert {**run.parameters["value"], "seat": "1"} == given


def test_an_example_with_a_secret_within_a_text_is_refused_where_the_task_is_defined() -> None:
    def wrong(login: Joined) -> None: ...

    with pytest.raises(TaskError, match="'Joined' serializes a secret"):
        task(example={"login": LOGIN})(wrong)


def asking_for(annotation: Any, given: Any) -> tuple[Task, BaseModel]:
    """A task that asks for this, and what it is given."""

    def wants(value: Any, note: str = "x") -> None: ...

    wants.__annotations__["value"] = annotation
    found: Task = task(wants).__dict__["__task__"]
    return found, found.parameters.model_validate({"value": given})
