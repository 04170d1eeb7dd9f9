"""Models that hold a secret, most of which write it in ways of their own."""

import base64
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    Secret,
    SecretStr,
    computed_field,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict


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


class Keyed(Joined):
    """Writes its secret as a name, and does not read it there."""

    @model_serializer
    def written(self) -> Any:
        return {self.password.get_secret_value(): self.user}


class Encoded(Joined):
    """Writes its secret so that no search for it finds it."""

    @model_serializer
    def written(self) -> str:
        return base64.b64encode(f"{self.user}:{self.password.get_secret_value()}".encode()).decode()

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return dict(zip(("user", "password"), base64.b64decode(value).decode().split(":", 1), strict=True))


class Rooted(RootModel[Joined]):
    """Is what it holds."""


class Listed(RootModel[list[Renaming]]):
    """Is what it holds."""


class Pin(Secret[int]):
    """A secret that is no text."""


class Both(NamedTuple):
    number: int
    pin: Pin


@dataclass
class Door:
    code: Secret[date]


class Safe(TypedDict):
    code: Secret[date]


class Shape:
    """A type that pydantic knows only from what the model says of it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and self.name == other.name

    def __str__(self) -> str:
        return self.name


class Account(BaseModel):
    """Holds other values beside its secret."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    password: SecretStr
    until: date
    length: timedelta
    price: Decimal
    names: set[str]
    shape: Annotated[Shape, BeforeValidator(lambda value: Shape(str(value))), PlainSerializer(str, when_used="json")]

    @computed_field
    def address(self) -> str:
        return f"https://ada:{self.password.get_secret_value()}@example.com"
