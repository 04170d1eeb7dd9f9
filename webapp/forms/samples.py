"""Made-up input for fields, to try forms with before anyone fills them in."""

import mimetypes
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from werkzeug.datastructures import MultiDict

from webapp.forms.fields import FILES, MOST_ROWS, Field, Missing
from webapp.forms.posting import SHOWN, text
from webapp.forms.texts import text_of

Posted = MultiDict[str, str]

MOST_CHOICES = 50
ROOMY = 20  # characters
SHA256 = "0" * 64
WORDS = ("Example", "1", "2026-01-31", "a@example.com", "https://example.com", "b", "2", "true", "1.5", "x y")
UUIDS = tuple(f"01234567-89ab-{version}def-8123-456789abcdef" for version in "41235678")
DAYS = ("2026-01-31", "2001-02-03", "2999-12-30")
MOMENTS = tuple(f"{day}T12:30" for day in DAYS)
MADE_UP: Mapping[str, tuple[str, ...]] = {
    "date": DAYS,
    "time": ("12:30", "00:00", "23:59"),
    "moment": MOMENTS,
    "wall_clock": MOMENTS,
    "duration": ("1 h", "1 d", "1 s", "0 s", "1000 d"),
    "uuid": UUIDS,
    "email": ("a@example.com", "b@example.org"),
    "url": ("https://example.com", "http://example.org", "ftp://example.com", "file:///example"),
}
NUMBERS = frozenset({"integer", "digits", "number", "decimal"})
SUFFIXES = {"image/*": ".png", "audio/*": ".mp3", "video/*": ".mp4", "text/*": ".txt"}
# What is beyond a limit, by the kind of field.
STEPS: Mapping[str, Any] = {
    **dict.fromkeys(("integer", "digits"), 1),
    **dict.fromkeys(("number", "decimal"), Decimal("0.5")),
    "date": timedelta(days=1),
    **dict.fromkeys(("moment", "wall_clock"), timedelta(minutes=1)),
    "duration": timedelta(seconds=1),
}
LIMITS: Mapping[str, TypeAdapter[Any]] = {
    "date": TypeAdapter(date),
    "moment": TypeAdapter(datetime),
    "wall_clock": TypeAdapter(datetime),
    "duration": TypeAdapter(timedelta),
}


class Sample:
    """Input for a field, different in each round: every choice and variant has its turn.

    The first round has the defaults of a field's parts where there are some, and the author's examples.
    """

    def __init__(self, field: Field, number: int) -> None:
        self._field, self._round = field, number
        self._tried: dict[str, int] = {}
        self._hints: dict[str, list[str]] = {}
        self._sent_last: dict[str, str] = {}

    def posted(self) -> Posted:
        """Return what a browser would send."""
        posted: Posted = MultiDict()
        self._post(posted, self._field, self._round)
        return posted

    def has_default(self, field: Field) -> bool:
        """Return whether what was sent for this field is its default."""
        default = self._default(field)
        return default != "" and self._sent_last.get(field.name) == default

    def next(self, field: Field, context: Mapping[str, Any]) -> bool:
        """Try another text for a field after an error with this context. Return False if there is none."""
        hints = self._hints.setdefault(field.name, [])
        hints += [hint for hint in _hints(field, context) if hint not in hints]
        self._tried[field.name] = self._tried.get(field.name, 0) + 1
        return self._tried[field.name] < len(self._texts(field))

    def _post(self, posted: Posted, field: Field, turn: int) -> None:
        name, group = field.name, field
        if field.variants:
            variant = field.variants[turn % len(field.variants)]
            posted.add(name, variant.tag)
            posted.add(f"{name}.{SHOWN}", variant.tag)
            group = variant.group
        elif field.item:
            for row in range(_rows(field)):
                posted.add(name, str(row))
                self._post(posted, field.item.placed(f"{name}.{row}"), turn + row)
        elif not field.is_compound:
            for one in self._sent(field, turn):
                posted.add(name, one)
        for child in group.children:
            self._post(posted, child.placed(f"{name}.{child.name}"), turn)

    def _sent(self, field: Field, turn: int) -> Iterator[str]:
        if field.kind == "switch":
            yield from ["true"] * (turn % 2)
        elif field.kind in FILES:
            for number in range(max(1, field.least)):
                yield f"{SHA256} {number}{_suffix(field)}"
        elif field.kind == "checks":
            for number in range(max(1, min(field.least, len(field.choices)))):
                yield field.choices[(turn + number) % len(field.choices)].text
        elif field.choices:
            choice = field.choices[turn % len(field.choices)]
            yield choice.label if field.kind == "search" else choice.text
        else:
            texts = self._texts(field)
            self._sent_last[field.name] = texts[(turn + self._tried.get(field.name, 0)) % len(texts)]
            yield self._sent_last[field.name]

    def _texts(self, field: Field) -> list[str]:
        texts = [*field.examples, *_made_up(field), *self._hints.get(field.name, ())]
        if self._round == 0 and (default := self._default(field)):
            texts.insert(0, default)
        return texts

    def _default(self, field: Field) -> str:
        value = field.initial
        return "" if value is None or value is Missing or field.kind == "secret" else text(field, value)


def rounds_of(field: Field) -> int:
    """Return the number of rounds in which each choice and variant of a field is tried."""
    parts = [*field.children, *(variant.group for variant in field.variants), *([field.item] if field.item else [])]
    own = max(2, min(len(field.choices), MOST_CHOICES), len(field.variants))
    return max([own, *(rounds_of(part) for part in parts)])


def _rows(field: Field) -> int:
    most = MOST_ROWS + 1 if field.most is None else field.most
    return min(max(1, field.least), most, MOST_ROWS + 1)


def _made_up(field: Field) -> tuple[str, ...]:
    if field.kind in NUMBERS:
        return _numbers(field)
    if field.kind in MADE_UP:
        ends = [str(field.attributes[end]) for end in ("min", "max") if end in field.attributes]
        return (*MADE_UP[field.kind], *(end for end in ends if field.kind != "moment"))
    least = field.attributes.get("minlength", 0)
    most = field.attributes.get("maxlength", max(least, ROOMY))
    return tuple(word.ljust(least, word[-1])[: max(most, 1)] for word in WORDS)


def _numbers(field: Field) -> tuple[str, ...]:
    ends = [Decimal(str(field.attributes[end])) for end in ("min", "max") if end in field.attributes]
    step = field.attributes.get("step", "any")
    between = [sum(ends) / 2] if len(ends) == 2 else []
    numbers = [*(Decimal(number) for number in ("1", "2", "0", "-1", "1.5")), *ends, *between]
    numbers += [Decimal(str(step))] if step != "any" else []
    return tuple(f"{number:f}" for number in dict.fromkeys(numbers))


def _hints(field: Field, context: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts that an error asks for: beyond a limit, or with the beginning of an address."""
    for name, sign in (("ge", 0), ("gt", 1), ("le", 0), ("lt", -1)):
        if name in context and field.kind in STEPS:
            with suppress(ValidationError):
                yield _beyond(field.kind, context[name], sign)
    for scheme in str(context.get("expected_schemes", "")).split("'")[1::2]:
        yield f"{scheme}://example.com/1"


def _beyond(kind: str, limit: Any, sign: int) -> str:
    if kind in LIMITS:
        beyond = LIMITS[kind].validate_python(limit) + sign * STEPS[kind]
        return text_of(kind, beyond if isinstance(beyond, timedelta) else beyond.isoformat())
    return str(Decimal(str(limit)) + sign * STEPS[kind])


def _suffix(field: Field) -> str:
    kind = str(field.attributes.get("accept", "")).split(",")[0].strip()
    return kind if kind.startswith(".") else SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ".txt"
