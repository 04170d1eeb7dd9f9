"""What a form knows of one parameter, and of the values to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
}
# Of these an empty text is a value; of all others it is nothing.
TEXTS = frozenset({"text", "long_text"})
# One value of several, and how many there may be to be shown like that.
MOST_RADIOS = 4
MOST_OPTIONS = 20
CHOICES = frozenset({"radios", "select", "search"})


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
    choices: tuple[Choice, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slider: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_type(self) -> str:
        """What kind of input a browser shows for it."""
        return INPUT_TYPES.get(self.kind, "text")

    def chosen(self, text: str) -> Choice | None:
        """The choice that a text means: what was picked, or its label as somebody may type it."""
        wanted = text.strip().casefold()
        exact = [choice for choice in self.choices if choice.text == text]
        return next(iter(exact + [one for one in self.choices if wanted in (one.label.casefold(), one.text)]), None)

    def holding(self, value: Any) -> Choice | None:
        """The choice of a value; true and 1 are two values."""
        return next((one for one in self.choices if one.value == value and type(one.value) is type(value)), None)
