"""Tasks that between them have a field of every kind, served by a thread of the tests' own process."""

import enum
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, EmailStr, Field, HttpUrl, NaiveDatetime, SecretStr, model_validator
from werkzeug.serving import make_server

from jobs import File, LongText, Show, Slider, task
from jobs.runs.backend import Backend, open_backend
from tests.support.serving import catalog_of
from webapp import create_app

COUNTRIES = (
    *("Argentina", "Austria", "Belgium", "Brazil", "Canada", "Chile", "Denmark", "Estonia", "Finland", "France"),
    *("Germany", "Greece", "Iceland", "India", "Ireland", "Italy", "Japan", "Kenya", "Mexico", "Norway", "Peru"),
    *("Poland", "Portugal", "Spain", "Sweden"),
)


@task
def scalars(
    count: Annotated[int, Field(ge=1, le=9, title="How many", description="One to nine."), Show(unit="boxes")],
    price: Annotated[Decimal, Field(gt=0, max_digits=6, decimal_places=2), Show(unit="€")],
    day: Annotated[date, Field(ge=date(2026, 1, 1))],
    at: time,
    starts: datetime,
    length: Annotated[timedelta, Field(examples=["1 h 30 min", "0:45:00"])],
    email: Annotated[EmailStr, Show(placeholder="somebody@example.com")],
    site: HttpUrl,
    code: Annotated[str, Field(pattern=r"^[A-Z]{2}-\d+$", examples=["AB-12"])],
    key: UUID,
    weight: Annotated[float, Field(ge=0, le=1), Slider] = 0.5,
    shown: NaiveDatetime = datetime(2026, 3, 29, 2, 30),  # it is meant to have no zone
    ended: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    note: str | None = None,
    most: int | None = None,
    until: date | None = None,
    story: LongText = "",
    gift: bool = True,
) -> str:
    """Everything that is written in one field."""
    return f"{count} {starts.isoformat()}"


class Size(enum.Enum):
    SMALL = 1
    RATHER_LARGE = 2


Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
Country = StrEnum("Country", [(name.upper(), name) for name in COUNTRIES])  # type: ignore[misc]  # mypy reads literal members only


@task
def choices(
    size: Size,
    day: Weekday,
    country: Country,
    days: Annotated[set[Weekday], Field(min_length=1, description="When it may come.")],
    tone: Literal["friendly", "formal"] = "formal",
    another: Size | None = None,
    other_day: Weekday | None = None,
    elsewhere: Country | None = None,
    fragile: bool | None = None,
    extras: list[Literal["wrap", "card"]] | None = None,
) -> str:
    """Everything that is chosen."""
    return f"{size} {day} {country} {sorted(days)}"


class Address(BaseModel):
    street: Annotated[str, Field(min_length=1)]
    zip_code: Annotated[str, Field(pattern="^[0-9]{5}$")]
    notes: LongText = ""


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0), Show(unit="cm")]


class Rectangle(BaseModel):
    kind: Literal["rectangle"]
    width: Annotated[float, Field(gt=0)] = 1.0
    height: Annotated[float, Field(gt=0)]


Shape = Annotated[Circle | Rectangle, Field(discriminator="kind")]


class Person(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    phones: list[Annotated[str, Field(pattern=r"^\+?[0-9 ]+$")]] = []


class Period(BaseModel):
    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> "Period":
        if self.last < self.first:
            raise ValueError("The last day must not be before the first.")
        return self


@task
def compounds(
    sender: Address,
    numbers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=4)],
    people: list[Person],
    size: tuple[int, Annotated[int, Field(title="Height")]],
    shape: Shape,
    during: Period,
    labels: dict[str, Annotated[int, Field(ge=1)]],
    receiver: Address | None = None,
    other_shape: Shape | None = None,
    points: tuple[float, ...] = (0.5,),
    tags: set[str] | None = None,
) -> str:
    """Everything that has parts."""
    return f"{sender} {numbers} {people} {size} {shape} {labels}"


class Tuning(BaseModel):
    rounds: Annotated[int, Field(ge=1)] = 10
    seed: Annotated[int | None, Show(advanced=True)] = None


USUAL = Tuning()


@task
def grouped(
    title: Annotated[str, Field(min_length=1)],
    threads: Annotated[int, Field(ge=1, le=8), Show(advanced=True)] = 2,
    width: Annotated[int, Field(ge=1), Show(group="Size", unit="px")] = 640,
    colour: str = "red",
    height: Annotated[int, Field(ge=1), Show(group="Size", unit="px")] = 480,
    cache: Annotated[bool, Show(advanced=True)] = True,
    tuning: Tuning = USUAL,
) -> str:
    """Fields that stand together, and fields that are folded away."""
    return f"{title} {width} {height} {colour} {threads} {cache} {tuning}"


def _agreed(terms: bool) -> bool:
    if not terms:
        raise ValueError("Nothing goes without it.")
    return terms


@task
def everything(
    integer: Annotated[int, Field(ge=5, lt=100, multiple_of=5)],
    digits: Annotated[int, Field(ge=0, le=10**30)],
    number: Annotated[float, Field(ge=0, le=1), Slider],
    decimal: Annotated[Decimal, Field(gt=0, decimal_places=2)],
    switch: Annotated[bool, AfterValidator(_agreed)],
    text: Annotated[str, Field(min_length=3, max_length=9)],
    long_text: Annotated[LongText, Field(min_length=3)],
    secret: Annotated[SecretStr, Field(min_length=8)],
    email: EmailStr,
    url: HttpUrl,
    uuid: UUID,
    date: Annotated[date, Field(lt=date(2027, 1, 1))],
    time: Annotated[time, Field(ge=time(9))],
    moment: Annotated[datetime, Field(ge=datetime(2026, 1, 1, tzinfo=UTC))],
    wall_clock: Annotated[NaiveDatetime, Field(ge=datetime(2026, 1, 1))],  # it has no zone
    duration: Annotated[timedelta, Field(le=timedelta(hours=1))],
    radios: Size,
    select: Weekday,
    search: Country,
    checks: Annotated[set[Weekday], Field(min_length=2)],
    file: File,
    files: Annotated[list[File], Field(min_length=2)],
    rows: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2)],
    pairs: dict[str, Annotated[int, Field(ge=1)]],
    tuple: tuple[int, Annotated[int, Field(le=9)]],
    group: Period,
    variant: Shape,
) -> str:
    """A field of each kind, named like it, and each of them can be filled in wrongly."""
    return f"{integer}"


TASKS = (scalars, choices, compounds, grouped, everything)


CATALOG = catalog_of(*TASKS)


@contextmanager
def served(backend: Backend) -> Iterator[str]:
    """An application with these tasks and this backend's data, and no workers; yields its address."""
    own = open_backend(backend.settings, CATALOG)
    app = create_app(own)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    app.extensions["hub"].end()
    server.shutdown()
    thread.join()
    server.server_close()
    own.database.close()
