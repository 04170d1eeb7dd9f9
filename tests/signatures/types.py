"""Types that the signatures name."""

import dataclasses
import enum
import itertools
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, NewType, NotRequired, Required

from pydantic import AfterValidator, Field, PlainSerializer, ValidationInfo
from typing_extensions import TypeAliasType, TypedDict


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(enum.StrEnum):
    YES = "yes"
    NO = "no"


class Ratio(enum.Enum):
    HALF = 0.5
    WHOLE = 1.0


class Twice(enum.Enum):
    """An enum with two names for one value."""

    SMALL = 1
    LITTLE = 1
    LARGE = 2


class Kinds(enum.Enum):
    ONE = 1
    TWO = "two"


class Pairs(enum.Enum):
    ONE = (1, 2)


class Numbered(enum.Enum):
    ONE = 1
    TEXT = "1"


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Marks(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Point:
    x: int
    y: str = "a"


@dataclasses.dataclass
class Listed:
    words: list[str] = dataclasses.field(default_factory=lambda: ["a"])


@dataclasses.dataclass
class Filled:
    x: int
    y: int = dataclasses.field(init=False, default=3)


@dataclasses.dataclass
class Scaled:
    x: int
    scale: dataclasses.InitVar[int] = 10

    def __post_init__(self, scale: int) -> None:
        self.scaled = self.x * scale


@dataclasses.dataclass(eq=False)
class Alone:
    x: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slotted:
    x: int


class Dish(TypedDict):
    name: str
    price: NotRequired[int]
    tags: NotRequired[list[str]]
    vegan: NotRequired[bool]


class Partial(TypedDict, total=False):
    name: Required[str]
    note: str


class Spoken(NamedTuple):
    x: int
    y: str = "b"


Id = NewType("Id", int)
Ids = TypeAliasType("Ids", list[Id])
Percent = Annotated[int, Field(ge=0, le=100)]
Upper = Annotated[str, PlainSerializer(lambda text: text.upper())]
Euros = Annotated[int, PlainSerializer(lambda price: f"{price} EUR")]
Same = Annotated[int, PlainSerializer(lambda price: price)]


def broken(value: int) -> int:
    return {"known": 1}[str(value)]


def more(text: str) -> str:
    return f"{text}!"


def never(value: Any) -> Any:
    raise ValueError("Not this one.")


def only_seven(value: int) -> int:
    if value != 7:
        raise ValueError("Must be seven.")
    return value


def after_first(last: int, info: ValidationInfo) -> int:
    if last < info.data["first"]:
        raise ValueError("Must not be before the first.")
    return last


COUNTER: Iterator[int] = itertools.count()


def once(value: int) -> int:
    if next(COUNTER):
        raise ValueError("Only once.")
    return value


Last = Annotated[int, AfterValidator(after_first)]
