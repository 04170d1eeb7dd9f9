"""What was posted, read field by field: the texts to show again, and the values for the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from webapp.forms.fields import CHOICES, TEXTS, Field
from webapp.forms.messages import EMPTY, NO_CHOICE, NO_ZONE, UNKEPT
from webapp.forms.texts import Unread, text_of, value_of

# The name under which a page sends the time zone of its reader; no parameter can begin with an underscore.
ZONE = "_zone"
# UTC by another name: the page's script leaves it, and does not send the zone again that is not known here.
NO_PLACE = "Etc/UTC"


class Missing:
    """Stands for what was not posted at all: the model's default applies, or its error."""


@dataclass(frozen=True)
class Entry:
    """One field with what is in it: `value` as the page shows it, `raw` as the model is given it."""

    field: Field
    value: Any = ""
    raw: Any = Missing


@dataclass
class Reading:
    """Reads entries from what was posted, and notes at each field what no model can be asked."""

    posted: MultiDict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    _place: tzinfo | None = UTC

    def __post_init__(self) -> None:
        sent = self.posted.get(ZONE, "UTC")
        try:
            self._place, self.zone = ZoneInfo(sent), sent
        except (ValueError, LookupError, OSError):  # what a name that is none leads to depends on the name
            self._place, self.zone = None, NO_PLACE

    def entry(self, field: Field) -> Entry:
        """A field's entry."""
        if field.kind == "switch":
            return Entry(field, field.name in self.posted, field.name in self.posted)
        if field.kind == "checks":
            return self._checks(field)
        return self._single(field)

    def _checks(self, field: Field) -> Entry:
        posted = set(self.posted.getlist(field.name))
        chosen = [choice for choice in field.choices if choice.text in posted]
        if len(chosen) < len(posted):
            self.errors[field.name] = NO_CHOICE
        values = [choice.value for choice in chosen]
        return Entry(field, tuple(choice.text for choice in chosen), values or (None if field.optional else values))

    def _single(self, field: Field) -> Entry:
        if field.name not in self.posted:
            return Entry(field)
        # Browsers send line breaks as two characters and count them as one; here they are one.
        text = self.posted[field.name].replace("\r\n", "\n")
        try:
            return Entry(field, text, self._value(field, text))
        except Unread as error:
            self.errors[field.name] = str(error)
            return Entry(field, text, text)

    def _value(self, field: Field, text: str) -> Any:
        if "\x00" in text:
            raise Unread(UNKEPT)
        if field.optional and not text.strip():
            return None
        if field.kind in TEXTS:
            return text
        if not text.strip():
            raise Unread(EMPTY)
        if field.kind in CHOICES:
            return self._choice(field, text)
        if self._place is None and field.kind == "moment":
            raise Unread(NO_ZONE)
        return value_of(field.kind, text, self._place or UTC)

    def _choice(self, field: Field, text: str) -> Any:
        choice = field.chosen(text)
        if choice is None:
            raise Unread(NO_CHOICE)
        return choice.value


def posted_of(fields: tuple[Field, ...], values: Mapping[str, Any]) -> MultiDict[str, str]:
    """What a browser would post of a form with these values, which are JSON."""
    posted: MultiDict[str, str] = MultiDict()
    for one in fields:
        _put(posted, one, values.get(one.name, one.default))
    return posted


def _put(posted: MultiDict[str, str], field: Field, value: Any) -> None:
    if value is None or (field.kind == "switch" and not value):
        return
    for one in value if field.kind == "checks" and isinstance(value, list) else [value]:
        posted.add(field.name, _text(field, one))


def _text(field: Field, value: Any) -> str:
    if choice := field.holding(value):
        return choice.label if field.kind == "search" else choice.text
    try:
        return text_of(field.kind, value)
    except ValueError:  # kept by a task that has changed since
        return str(value)
