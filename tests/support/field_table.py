"""The tables of docs/tasks.md, made from the code: `python -m tests.support.field_table` writes them."""

import inspect
from pathlib import Path
from typing import Any

import jobs
from jobs import task
from jobs.authoring.file_parameters import MB
from jobs.authoring.task import CONTEXT_TYPES, Task
from webapp.forms import Field, fields_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "tasks.md"
BEGIN, END = "<!-- {}: make docs writes what follows -->\n", "<!-- end of {} -->\n"
# What stands for each context type where a task is called as a plain function.
STAND_INS = {
    "Progress": "Progress()",
    "Cancelled": "Cancelled()",
    "Log": "Log()",
    "Emit": "Emit()",
    "Checkpoint": "Checkpoint()",
    "Workspace": "tmp_path",
    "User": 'User(7, "ada@example.com")',
    "Secrets": 'Secrets({"API_TOKEN": "abc"})',
}

NAMES = """
import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID
from pydantic import BaseModel, EmailStr, Field, HttpUrl, NaiveDatetime, Secret, SecretStr
from jobs import File, FileField, LongText, Show, Slider
class Size(enum.Enum):
    SMALL = 1
    LARGE = 2
class Address(BaseModel):
    street: str
class Circle(BaseModel):
    kind: Literal["circle"]
class Square(BaseModel):
    kind: Literal["square"]
Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
Country = enum.Enum("Country", [(f"C{n}", f"Country {n}") for n in range(21)])
"""
ANNOTATIONS = (
    "int",
    "Annotated[int, Field(ge=5, lt=100, multiple_of=5)]",
    "Annotated[int, Field(ge=0, le=10**30)]",
    "float",
    "Annotated[float, Field(ge=0, le=1), Slider]",
    "Annotated[Decimal, Field(gt=0, decimal_places=2)]",
    "bool",
    "bool | None",
    "str",
    'Annotated[str, Field(max_length=40, pattern="^[a-z]+$")]',
    "str | None",
    "LongText",
    "Annotated[SecretStr, Field(min_length=20)]",
    "Secret[Annotated[int, Field(ge=1000)]]",
    "EmailStr",
    "HttpUrl",
    "UUID",
    "Annotated[date, Field(ge=date(2026, 1, 1))]",
    "time",
    "datetime",
    "NaiveDatetime",
    "timedelta",
    "Size",
    'Literal["a", "b", "c"]',
    "Weekday",
    "Country",
    "set[Weekday]",
    "list[int]",
    "tuple[int, str]",
    "Address",
    "Address | None",
    "list[Address]",
    'Annotated[Circle | Square, Field(discriminator="kind")]',
    "dict[str, float]",
    "File",
    'Annotated[File, FileField(accept=(".csv", "text/plain"), max_mb=300)]',
    "File | None",
    "list[File]",
    'Annotated[int, Show(unit="px", placeholder="640")]',
    'Annotated[int, Show(group="Size")]',
    "Annotated[int, Show(advanced=True)]",
)
# What says how to write and not what.
HABITS = ("spellcheck", "autocapitalize")
KINDS = {
    "integer": "a number field for whole numbers",
    "digits": "a text field for digits: too large for a browser's number field",
    "number": "a number field",
    "decimal": "a number field, exact",
    "switch": "a checkbox",
    "text": "a line of text",
    "long_text": "several lines of text",
    "secret": "a line that shows no letters; kept encrypted with the run, and never shown",
    "email": "a field for an e-mail address",
    "url": "a field for a web address",
    "uuid": "a line for a UUID",
    "date": "a date",
    "time": "a time of day",
    "moment": "a date and a time in the reader's time zone; the task gets it in UTC. Without JavaScript it is UTC",
    "wall_clock": "a date and a time without a zone",
    "duration": "a line such as `1 h 30 min` or `1:30:00`",
    "radios": "radio buttons, up to four",
    "select": "a list to choose from, up to twenty",
    "search": "a line that suggests, beyond twenty",
    "checks": "checkboxes",
    "file": "a file",
    "files": "several files",
    "rows": "rows to add and remove, each {item}",
    "pairs": "rows of a name and {value}",
    "tuple": "fields together: {children}",
    "group": "fields together under its label: {children}",
    "variant": "a choice that shows the fields of the chosen one",
}


def field_of(annotation: str) -> Field:
    """The field of a parameter with this annotation."""
    names: dict[str, Any] = {}
    exec(NAMES, names)

    def one(it: Any) -> None: ...

    one.__annotations__["it"] = eval(annotation, names)
    made: Task = task(one).__dict__["__task__"]
    return fields_of(made)[0]


def table() -> str:
    """The table as Markdown."""
    rows = [(annotation, field_of(annotation)) for annotation in ANNOTATIONS]
    lines = [f"| `{text.replace('|', chr(92) + '|')}` | {said(field)} | {told(field)} |" for text, field in rows]
    return "\n".join(("| Annotation | Field | The browser is told |", "| --- | --- | --- |", *lines, ""))


def said(field: Field) -> str:
    """What a field is, in words."""
    parts = field.item.children if field.item else field.children
    children = ", ".join(KINDS[child.kind] for child in parts)
    value = KINDS[parts[1].kind] if field.kind == "pairs" else ""
    item = KINDS[field.item.kind].format(children=children) if field.kind == "rows" and field.item else ""
    words = KINDS[field.kind].format(children=children, value=value, item=item)
    more = [f"a slider beside it, in steps of {field.slider['step']}"] if field.slider else []
    more += [f"of at most {field.max_bytes // MB} MB"] if field.max_bytes else []
    more += [f"`{field.unit}` behind it"] if field.unit else []
    more += [f"under the title {field.group}"] if field.group else []
    more += ["folded away under Advanced"] if field.advanced else []
    more += ["left empty it is `None`"] if field.optional else []
    return "; ".join((words, *more))


def told(field: Field) -> str:
    """The attributes of a field's input."""
    limits = {name: value for name, value in field.attributes.items() if name not in HABITS}
    return ", ".join(f"`{name}={value}`" if value != "" else f"`{name}`" for name, value in limits.items())


def context_table() -> str:
    """What a task may ask for, as Markdown."""
    names = {name: kind for name in jobs.__all__ for kind in CONTEXT_TYPES if getattr(jobs, name) is kind}
    lines = [f"| `{name}` | {_about(kind)} | `{STAND_INS[name]}` |" for name, kind in names.items()]
    return "\n".join(("| Annotation | What it does | In a plain call |", "| --- | --- | --- |", *lines, ""))


def _about(kind: Any) -> str:
    """A context type's docstring, in its first sentence; that of a path stands at what marks it."""
    described = kind if isinstance(kind, type) else type(kind.__metadata__[0])
    return str(inspect.getdoc(described)).partition("\n")[0]


def written(document: str) -> str:
    """The document with the tables as they are now."""
    for name, made in {"fields": table(), "context": context_table()}.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = document.partition(begin)
        document = f"{before}{begin}\n{made}\n{end}{rest.partition(end)[2]}"
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
