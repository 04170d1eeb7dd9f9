"""Models that the signatures name."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from tests.signatures.types import Colour

T = TypeVar("T")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    day: date
    at: datetime
    clock: time
    length: timedelta
    price: Decimal
    colour: Colour
    id: UUID
    few: set[int]
    pair: tuple[int, str]


class Excluded(BaseModel):
    kept: int
    left: int = Field(exclude=True)


class ExcludedDefault(BaseModel):
    kept: int
    left: int = Field(3, exclude=True)


class Renamed(BaseModel):
    name: str = Field(alias="other")


class Written(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    name: str = Field(serialization_alias="other")


class Shouting(BaseModel):
    model_config = ConfigDict(alias_generator=str.upper)

    name: str


class FieldSerializer(BaseModel):
    price: int

    @field_serializer("price")
    def in_words(self, price: int) -> str:
        return f"{price} EUR"


class ModelSerializer(BaseModel):
    price: int

    @model_serializer
    def in_words(self) -> str:
        return f"{self.price} EUR"


class Computed(BaseModel):
    side: int

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def area(self) -> int:
        return self.side**2


class Private(BaseModel):
    side: int
    _secret: int = PrivateAttr(default=3)


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)

    side: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    side: int


class Constant(BaseModel):
    unit: ClassVar[str] = "cm"
    side: int = 4


class Made(BaseModel):
    words: list[str] = Field(default_factory=lambda: ["a", "b"])
    number: int = Field(default_factory=lambda: 7)


class BadPart(BaseModel):
    number: int = Field(5, ge=10)


class Inner(BaseModel):
    number: float


class Nested(BaseModel):
    inner: Inner


class Base(BaseModel):
    first: int


class Derived(Base):
    second: str = "x"


class Period(BaseModel):
    first: date
    last: date

    @model_validator(mode="after")
    def in_order(self) -> "Period":
        if self.last < self.first:
            raise ValueError("The last day must not be before the first.")
        return self


class Trimmed(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def trimmed(cls, text: str) -> str:
        return text.strip()


class Box(BaseModel, Generic[T]):
    content: T


class Numbers(RootModel[list[int]]):
    pass


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: int


class Crooked(BaseModel):
    kind: Literal["crooked"]
    side: int = Field(exclude=True)


Shape = Annotated[Circle | Square, Field(discriminator="kind")]
OneCrooked = Annotated[Circle | Crooked, Field(discriminator="kind")]


class Tree(BaseModel):
    branches: list["Tree"] = []


class Unknown(BaseModel):
    other: "NeverDefined"  # type: ignore[name-defined]  # noqa: F821  # what is tested
