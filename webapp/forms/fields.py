"""Form fields, their choices and variants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


class Missing:
    """A marker for values that were not posted, for which the model's default or error applies."""


# HTML input types of fields that are not plain text.
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
# Kinds for which an empty text is a value, not a missing one.
TEXTS = frozenset({"text", "long_text"})
# Maximum numbers of choices for radio buttons and for a select box.
MOST_RADIOS = 4
MOST_OPTIONS = 20
# The longest label of radio buttons in a row, in characters.
SHORT_LABEL = 14
# Limit for all lists of a form together: a small request could otherwise make the server render a huge form.
MOST_ROWS = 200
# Kinds with parts that are fields themselves.
COMPOUNDS = frozenset({"group", "tuple", "rows", "pairs", "pair", "variant"})
# Compound kinds whose parts are all displayed, so that a rule about the whole can be checked.
WHOLES = frozenset({"group", "tuple", "variant"})
CHOICES = frozenset({"radios", "select", "search"})
# Kinds that are posted as files, one or several under the same name.
FILES = frozenset({"file", "files"})


@dataclass(frozen=True)
class Choice:
    """A choice: its posted text, its label and its JSON value."""

    text: str
    label: str
    value: Any


@dataclass(frozen=True)
class Field:
    """A form field for a parameter. `kind` names its template, `slider` has its range and step."""

    name: str
    label: str
    kind: str
    help: str = ""
    required: bool = True
    optional: bool = False  # may be left empty
    empty: Any = None  # its value then: None, or Missing if the model has a default that no form can show
    default: Any = None
    factory: Callable[[], Any] | None = None  # makes the default
    examples: tuple[str, ...] = ()
    unit: str = ""
    group: str = ""
    advanced: bool = False
    choices: tuple[Choice, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slider: Mapping[str, Any] = field(default_factory=dict)
    children: tuple["Field", ...] = ()  # the fields of a group, under their own names
    item: "Field | None" = None  # the field of each row
    least: int = 0  # minimum number of rows
    most: int | None = None  # maximum number of rows
    variants: tuple["Variant", ...] = ()
    accept: tuple[str, ...] = ()  # kinds of files
    max_bytes: int | None = None  # limit for each file

    @property
    def input_type(self) -> str:
        """The HTML input type."""
        return INPUT_TYPES.get(self.kind, "text")

    @property
    def initial(self) -> Any:
        """The JSON value that a new form has."""
        return self.factory() if self.factory else self.default

    @property
    def section(self) -> tuple[bool, str]:
        """The section that the field belongs to: whether it is collapsed, and its title."""
        return self.advanced, self.group

    @property
    def own_name(self) -> str:
        """The last component of its dotted name."""
        return self.name.rpartition(".")[2]

    @property
    def has_short_choices(self) -> bool:
        """Return whether the labels of the choices are short enough to stand in a row."""
        return all(len(choice.label) <= SHORT_LABEL for choice in self.choices)

    @property
    def is_compound(self) -> bool:
        """Return whether the field has parts."""
        return self.kind in COMPOUNDS

    @property
    def is_tagged(self) -> bool:
        """Return whether a tag distinguishes the variants. Without a tag, the only variant is optional."""
        return any(variant.tags for variant in self.variants)

    def placed(self, name: str, label: str | None = None) -> "Field":
        """Return a copy of the field with another posted name."""
        return replace(self, name=name, label=self.label if label is None else label)

    def chosen(self, text: str) -> Choice | None:
        """Return the choice for a posted text or a typed label, or None."""
        wanted = text.strip().casefold()
        exact = [choice for choice in self.choices if choice.text == text]
        return next(iter(exact + [one for one in self.choices if wanted in (one.label.casefold(), one.text)]), None)

    def holding(self, value: Any) -> Choice | None:
        """Return the choice with this value, or None. True and 1 are different values."""
        return next((one for one in self.choices if one.value == value and type(one.value) is type(value)), None)


@dataclass(frozen=True)
class Variant:
    """One alternative of a union. `tag` is posted, `tags` are passed to the model."""

    tag: str
    label: str
    group: Field
    tags: Mapping[str, Any] = field(default_factory=dict)
