"""Posted values, read field by field: the texts to display again and the values for the model.

A field's parts are posted with dotted names: `sender.street`. A list posts its row numbers under its own name,
`items=0&items=3`, each row as `items.0`, so that removing a row does not rename the others. A union posts the tag
of the chosen model under its own name. Parameter names contain no dots.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from jobs import File
from jobs.authoring import problem_with
from webapp.forms.fields import CHOICES, MOST_ROWS, TEXTS, Field, Missing
from webapp.forms.files import NO_INPUTS, OwnInputs, referred, sha256_in
from webapp.forms.messages import (
    EMPTY,
    LOST_FILE,
    LOST_VALUE,
    NO_CHOICE,
    NO_FILE,
    NO_ZONE,
    TOO_MANY_ROWS,
    TWICE,
    UNKEPT,
    nothing_in,
)
from webapp.forms.posting import EXACT, ROW, SEALED, with_defaults
from webapp.forms.texts import MOMENTS, UNREADABLE, InvalidText, exactly, value_of

# Posted name of the browser's time zone. Parameter names cannot start with an underscore.
ZONE = "_zone"
# Posted names of fields with input that the browser cannot parse and submits as empty.
UNREAD = "_unread"
# An alias of UTC, which keeps the page's script from sending the unsupported time zone again.
NO_PLACE = "Etc/UTC"


@dataclass(frozen=True)
class BoundField:
    """A field with its value: `value` as displayed, `raw` as passed to the model.

    `children` holds its parts by their keys in the model's error locations.
    """

    field: Field
    value: Any = ""
    raw: Any = Missing
    exact: str = ""  # the whole value of which `value` shows a part
    children: Mapping[str | int, "BoundField"] = dataclasses.field(default_factory=dict)

    def without_files(self, refused: Collection[str]) -> "BoundField":
        """Return the field without the files that the model refuses, by the names of their fields."""
        children = {key: child.without_files(refused) for key, child in self.children.items()}
        value = () if self.field.kind == "file" and self.field.name in refused else self.value
        return dataclasses.replace(self, value=value, children=children)

    def all(self) -> Iterator["BoundField"]:
        """Yield the field and all fields nested in it."""
        yield self
        for child in self.children.values():
            yield from child.all()

    def at(self, path: tuple[str | int, ...]) -> "BoundField":
        """Return the nearest displayed field for a path in a model's error."""
        if not path:
            return self
        if self.field.kind == "pairs":
            # If two rows have the same key, the model received the last one.
            rows = reversed(tuple(self.children.values()))
            row = next((row for row in rows if str(row.children["key"].raw) == str(path[0])), None)
            part = "key" if path[1:2] == ("[key]",) else "value"
            return row.children[part].at(path[1:]) if row else self
        if self.field.kind == "variant" and path[0] == self.value and self.field.is_tagged:
            path = path[1:]
        return self.children[path[0]].at(path[1:]) if path and path[0] in self.children else self


@dataclass
class Reader:
    """A reader of posted values. It records the errors that the model cannot detect."""

    posted: MultiDict[str, str]
    own: OwnInputs = NO_INPUTS
    errors: dict[str, str] = dataclasses.field(default_factory=dict)
    limits: dict[str, str] = dataclasses.field(default_factory=dict)  # errors that also apply before submission
    zone: str = "UTC"
    _place: tzinfo | None = UTC
    _rows_left: int = MOST_ROWS
    _sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    _unread: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        sent = self.posted.get(ZONE, "UTC")
        try:
            self._place, self.zone = ZoneInfo(sent), sent
        except (ValueError, LookupError, OSError):  # the exception for an invalid name depends on the name
            self._place, self.zone = None, NO_PLACE
        texts = (text for _name, text in self.posted.items(multi=True))
        wanted = {sha256 for text in texts if (sha256 := sha256_in(text))}
        self._sizes = self.own.sizes(wanted) if wanted else {}

        self._unread = frozenset(self.posted.getlist(UNREAD))

    def bind(self, field: Field) -> BoundField:
        """Return a field bound to its posted value."""
        read = {
            "switch": self._switch,
            "checks": self._checks,
            "file": self._file,
            "files": self._files,
            "secret": self._secret,
            "rows": self._list,
            "pairs": self._dict,
            "group": self._group,
            "pair": self._group,
            "tuple": self._tuple,
            "variant": self._variant,
        }
        return read.get(field.kind, self._single)(field)

    def _switch(self, field: Field) -> BoundField:
        return BoundField(field, field.name in self.posted, field.name in self.posted)

    def _checks(self, field: Field) -> BoundField:
        posted = set(self.posted.getlist(field.name))
        chosen = [choice for choice in field.choices if choice.text in posted]
        if len(chosen) < len(posted):
            self.errors[field.name] = NO_CHOICE
        values = [choice.value for choice in chosen]
        return BoundField(
            field, tuple(choice.text for choice in chosen), values or (field.empty if field.optional else values)
        )

    def _file(self, field: Field) -> BoundField:
        # A newly chosen file is posted after the stored one that it replaces.
        files = self._referred(field)[-1:]
        if not files and not field.optional:
            self.errors.setdefault(field.name, NO_FILE)
        return BoundField(field, files, files[0].kept() if files else field.empty if field.optional else Missing)

    def _files(self, field: Field) -> BoundField:
        files = self._referred(field)
        if not files and field.required:
            self.errors.setdefault(field.name, NO_FILE)
        raw = [file.kept() for file in files]
        return BoundField(field, files, raw or (field.empty if field.optional else raw))

    def _referred(self, field: Field) -> tuple[File, ...]:
        texts = [text for text in self.posted.getlist(field.name) if text]
        found = [referred(text, self._sizes) for text in dict.fromkeys(texts)]
        if None in found:
            self.errors[field.name] = LOST_FILE
        if field.name in self.own.refused:
            self.limits[field.name] = self.own.refused[field.name]
        files = tuple(file for file in found if file and self._takes(field, file))
        taken = files[: self._rows_left]
        self._rows_left -= len(taken)
        if len(taken) < len(files):
            self.limits[field.name] = TOO_MANY_ROWS.format(most=MOST_ROWS)
        return taken

    def _takes(self, field: Field, file: File) -> bool:
        """Return whether a field takes a file; if it does not, say why, and do not keep the file in the form."""
        if words := problem_with(file, field.accept, field.max_bytes):
            self.limits.setdefault(field.name, words)
        return not words

    def _secret(self, field: Field) -> BoundField:
        """Read the typed secret or, if the input is empty, the sealed one."""
        sealed = self.posted.get(f"{field.name}.{SEALED}")
        if sealed is None or self.posted.get(field.name):
            return self._single(field)
        secret = self.own.opened(sealed)
        if secret is None:
            self.errors[field.name] = LOST_VALUE
            return BoundField(field)
        return self._of_text(field, secret)

    def _list(self, field: Field) -> BoundField:
        rows = self._rows(field)
        raw = [self._present(row) for row in rows]
        return BoundField(field, "", raw or (field.empty if field.optional else raw), children=dict(enumerate(rows)))

    def _dict(self, field: Field) -> BoundField:
        rows = self._rows(field)
        raw: dict[Any, Any] = {}
        for row in rows:
            key = self._present(row.children["key"])
            if key == "":
                self.errors.setdefault(row.children["key"].field.name, EMPTY)
            elif key in raw:
                self.errors.setdefault(row.children["key"].field.name, TWICE)
            raw[key] = self._present(row.children["value"])
        return BoundField(field, "", raw or (field.empty if field.optional else raw), children=dict(enumerate(rows)))

    def _rows(self, field: Field) -> list[BoundField]:
        assert field.item is not None
        numbers = [number for number in dict.fromkeys(self.posted.getlist(field.name)) if ROW.fullmatch(number)]
        taken = numbers[: self._rows_left]
        self._rows_left -= len(taken)
        if len(taken) < len(numbers):
            self.limits[field.name] = TOO_MANY_ROWS.format(most=MOST_ROWS)
        names = [(f"{field.name}.{number}", f"{field.label} {n}") for n, number in enumerate(taken, 1)]
        return [self.bind(field.item.placed(name, label)) for name, label in names]

    def _present(self, bound: BoundField) -> Any:
        """Return a field's raw value; record an error if it is missing, because no default applies."""
        if bound.raw is not Missing:
            return bound.raw
        self.errors.setdefault(bound.field.name, nothing_in(bound.field.kind))
        return None

    def _group(self, field: Field) -> BoundField:
        children = self._children(field)
        raw = {name: child.raw for name, child in children.items() if child.raw is not Missing}
        return BoundField(field, "", raw, children=children)

    def _tuple(self, field: Field) -> BoundField:
        children = self._children(field)
        raw = [self._present(child) for child in children.values()]
        return BoundField(field, "", raw, children=dict(enumerate(children.values())))

    def _children(self, field: Field) -> dict[str | int, BoundField]:
        return {child.name: self.bind(child.placed(f"{field.name}.{child.name}")) for child in field.children}

    def _variant(self, field: Field) -> BoundField:
        tag = self.posted.get(field.name, "")
        variant = next((one for one in field.variants if one.tag == tag), None)
        if variant is None:
            if tag:
                self.errors[field.name] = NO_CHOICE
            return BoundField(field, "", field.empty if field.optional else Missing)
        with_defaults(self.posted, field, variant)
        group = self.bind(variant.group.placed(field.name))
        raw = {**variant.tags, **group.raw} if isinstance(group.raw, dict) else group.raw
        return BoundField(field, tag, raw, children=group.children)

    def _single(self, field: Field) -> BoundField:
        if field.name not in self.posted:
            return BoundField(field)
        # Browsers submit a line break as CRLF but count it as one character.
        text, exact = self.posted[field.name].replace("\r\n", "\n"), self.posted.get(f"{field.name}.{EXACT}", "")
        whole = exactly(field.kind, text, exact, self._place or UTC) if exact and field.kind in MOMENTS else None
        return BoundField(field, text, whole, exact) if whole is not None else self._of_text(field, text)

    def _of_text(self, field: Field, text: str) -> BoundField:
        try:
            return BoundField(field, text, self._value(field, text))
        except InvalidText as error:
            self.errors[field.name] = str(error)
            return BoundField(field, text, text)

    def _value(self, field: Field, text: str) -> Any:
        if "\x00" in text:
            raise InvalidText(UNKEPT)
        if not text and field.name in self._unread and field.kind in UNREADABLE:
            raise InvalidText(UNREADABLE[field.kind])
        if field.optional and not text.strip():
            return field.empty
        # With a minimum length, the model's own message says how long.
        if field.kind in TEXTS and (text or not field.required or field.attributes.get("minlength")):
            return text
        if not text.strip():
            raise InvalidText(nothing_in(field.kind))
        if field.kind in CHOICES:
            return self._choice(field, text)
        if self._place is None and field.kind == "moment":
            raise InvalidText(NO_ZONE)
        return value_of(field.kind, text, self._place or UTC)

    def _choice(self, field: Field, text: str) -> Any:
        choice = field.chosen(text)
        if choice is None:
            raise InvalidText(NO_CHOICE)
        return choice.value
