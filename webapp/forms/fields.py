"""What a form knows of one parameter, and of the values to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# What a browser calls the inputs that are not for text.
INPUT_TYPES = {
    "integer": "number",
    "number": "number",
    "decimal": "number",
    "date": "date",
    "time": "time",
    "moment": "datetime-local",
    "wall_clock": "datetime-local",
    "email": "email",
    "url": "url",
    "secret": "password",
    "file": "file",
    "files": "file",
}
# Of these an empty text is a value; of all others it is nothing.
TEXTS = frozenset({"text", "long_text"})
# One value of several, and how many there may be to be shown like that.
MOST_RADIOS = 4
MOST_OPTIONS = 20
# What has parts, each a field of its own.
COMPOUNDS = frozenset({"group", "tuple", "rows", "pairs", "pair", "variant"})
# Those of them whose parts are all there at once, so that a rule of the whole can be looked at.
WHOLES = frozenset({"group", "tuple", "variant"})
CHOICES = frozenset({"radios", "select", "search"})
# What is sent as files, one or several under the same name.
FILES = frozenset({"file", "files"})


@dataclass(frozen=True)
class Choice:
    """A value to choose: the text that is posted, the label that is read, and the value as JSON has it."""

    text: str
    label: str
    value: Any


@dataclass(frozen=True)
class Field:
    """One parameter as a form shows it; `kind` names the template that renders it, `slider` has its range and step."""

    name: str
    label: str
    kind: str
    help: str = ""
    required: bool = True
    optional: bool = False  # left empty it is None
    default: Any = None
    examples: tuple[str, ...] = ()
    unit: str = ""
    group: str = ""
    advanced: bool = False
    choices: tuple[Choice, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slider: Mapping[str, Any] = field(default_factory=dict)
    children: tuple["Field", ...] = ()  # of a group, by their own names
    item: "Field | None" = None  # what each row holds
    least: int = 0  # how many rows it must have
    most: int | None = None  # and may have
    variants: tuple["Variant", ...] = ()
    max_bytes: int | None = None  # of each file

    @property
    def input_type(self) -> str:
        """What kind of input a browser shows for it."""
        return INPUT_TYPES.get(self.kind, "text")

    @property
    def section(self) -> tuple[bool, str]:
        """What it stands together with: whether that is folded away, and its title."""
        return self.advanced, self.group

    @property
    def own_name(self) -> str:
        """Its name without those of what it is part of."""
        return self.name.rpartition(".")[2]

    @property
    def is_compound(self) -> bool:
        """Whether it has parts."""
        return self.kind in COMPOUNDS

    @property
    def is_tagged(self) -> bool:
        """Whether its model tells its variants apart by a tag; otherwise there is one, or None."""
        return any(variant.tags for variant in self.variants)

    def placed(self, name: str, label: str | None = None) -> "Field":
        """The same field at another place in the form, where it is posted under that name."""
        return replace(self, name=name, label=self.label if label is None else label)

    def chosen(self, text: str) -> Choice | None:
        """The choice that a text means: what was picked, or its label as somebody may type it."""
        wanted = text.strip().casefold()
        exact = [choice for choice in self.choices if choice.text == text]
        return next(iter(exact + [one for one in self.choices if wanted in (one.label.casefold(), one.text)]), None)

    def holding(self, value: Any) -> Choice | None:
        """The choice of a value; true and 1 are two values."""
        return next((one for one in self.choices if one.value == value and type(one.value) is type(value)), None)


@dataclass(frozen=True)
class Variant:
    """One of several groups, of which the chosen one is shown; `tag` is posted, `tags` tells the model."""

    tag: str
    label: str
    group: Field
    tags: Mapping[str, Any] = field(default_factory=dict)
