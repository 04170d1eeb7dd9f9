"""The trial of a task's form before anyone opens it.

Each parameter is tried with made-up input through everything that a submit does: reading the form, validation, storing
as JSON, loading as a worker does, and filling the form again. What does not survive would fail for everyone.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, core_schema
from werkzeug.datastructures import MultiDict

from jobs.authoring import Task, TaskError, Unstorable, load, reopened, stored
from webapp.forms.bound_fields import BoundField, Reader
from webapp.forms.fields import Field, Missing
from webapp.forms.files import OwnInputs
from webapp.forms.json_schema import part_of
from webapp.forms.messages import message
from webapp.forms.posting import posted_of
from webapp.forms.samples import Sample, rounds_of
from webapp.forms.signature import fields_of

Posted = MultiDict[str, str]

MOST_TRIES = 60
OWN = OwnInputs(lambda wanted: dict.fromkeys(wanted, 1))
# Errors of validators, and of rules that no made-up text can know: the author's task may still accept others.
OF_AUTHORS = frozenset({"value_error", "assertion_error", "string_pattern_mismatch", "url_parsing", "url_scheme"})
OF_PYDANTIC = frozenset(get_args(core_schema.ErrorType))
# Errors about a part that the model does not take, although its schema has it.
OF_FORM = frozenset({"unexpected_keyword_argument", "extra_forbidden", "unexpected_positional_argument", "missing"})
# Errors about one of several choices, or a whole of parts, which others may not have.
OF_SOME = frozenset(
    {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of", "too_short", "too_long"}
)

ANOTHER = " Use another type, without serializers, aliases, exclude=True, init=False and InitVar of its own."
NO_VALUE = (
    "accepts nothing that its form can send. {words} Correct its limits, or name a value that it accepts: "
    "Field(examples=[...])."
)


class Failed(Exception):
    """A parameter that cannot be submitted. The message completes "parameter x …" and says what to do."""


@dataclass(frozen=True)
class Complaint:
    """An error in what a form sent, at a field."""

    field: Field
    words: str
    kind: str = ""
    context: Mapping[str, Any] | None = None

    @property
    def is_of_author(self) -> bool:
        """Return whether a rule of the task's author may have made it, which accepts other values."""
        is_of_some = self.kind in OF_SOME and _is_fixed(self.field)
        return self.kind in OF_AUTHORS or is_of_some or (bool(self.kind) and self.kind not in OF_PYDANTIC)


def try_out(task: Task) -> None:
    """Try the form of a task. Raises TaskError for a parameter that cannot be submitted."""
    fields = {field.name: field for field in fields_of(task)}
    known, posted = dict[str, Field](), Posted()
    for name in task.parameters.model_fields:
        known[name] = fields[name]
        trial = Trial(part_of(task.parameters, known), tuple(known.values()), posted)
        with _naming(task, f"parameter {name!r}"):
            accepted = trial.run(fields[name])
        if accepted is None:
            del known[name]
        else:
            posted.update(accepted)
    if task.example:
        with _naming(task, "its example"):
            Trial(task.parameters, tuple(fields.values()), Posted()).try_example(task.example)


@contextlib.contextmanager
def _naming(task: Task, what: str) -> Iterator[None]:
    """Turn any error into a TaskError that says what it is about."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a validator may call sys.exit(), and the core of pydantic may panic
        words = str(error) if isinstance(error, Failed) else _broken(error)
        raise TaskError(f"{task.source}: task {task.name!r}: {what} {words}") from error


@dataclass(frozen=True)
class Trial:
    """A trial of the last of some fields, in a form with what was accepted for the others."""

    model: type[BaseModel]
    fields: tuple[Field, ...]
    others: Posted

    def run(self, field: Field) -> Posted | None:
        """Return input that is accepted for the field, or None if a rule of its author accepts none of the examples."""
        accepted = None
        for number in range(rounds_of(field)):
            posted = self._accepted(Sample(field, number))
            accepted = accepted if posted is None else accepted or posted
        self._try_default(field)
        return accepted

    def try_example(self, example: Mapping[str, Any]) -> None:
        """Try the form as "Fill in an example" fills it."""
        parameters, complaints = self._read(posted_of(self.fields, example))
        if parameters is None:
            raise Failed(f"cannot be sent by its form. {_at(complaints[0])} Change the example.")

    def _accepted(self, sample: Sample) -> Posted | None:
        is_of_author, first = False, None
        for _ in range(MOST_TRIES):
            posted = sample.posted()
            parameters, complaints = self._read(posted)
            if parameters is not None:
                self._survives(parameters, posted)
                return posted
            for one in complaints:
                if one.kind in OF_FORM:
                    raise Failed(f"has a part that its form cannot send. {_at(one)}{ANOTHER}")
                if sample.has_default(one.field) and not one.is_of_author:
                    raise Failed(f"has a default that is not valid. {_at(one)} Change the default.")
            is_of_author |= all(one.is_of_author for one in complaints)
            first = first or next((one for one in complaints if not one.is_of_author), None)
            more = [sample.next(one.field, one.context or {}) for one in complaints if not _is_fixed(one.field)]
            if not any(more):
                break
        if first and not is_of_author:
            raise Failed(NO_VALUE.format(words=_at(first)))
        return None

    def _try_default(self, field: Field) -> None:
        """Try the form as it is opened, if the parameter has a default."""
        if self.model.model_fields[field.name].is_required():
            return
        try:
            expected = load(self.model, self._raw(self.others))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] in OF_AUTHORS and len(self.fields) > 1:  # it may depend on the other parameters
                return
            raise Failed(f"has a default that is not valid. {message(first)} Change the default.") from error
        opened = posted_of((field,), {})
        parameters, complaints = self._read(opened)
        if parameters is None:
            raise Failed(f"has a default that its form cannot send. {_at(complaints[0])} Change the default.")
        if parameters != expected and load(self.model, self._raw(self.others)) == expected:
            got, wanted = getattr(parameters, field.name), getattr(expected, field.name)
            change = f"has a default that its form changes, to {got!r} from {wanted!r}"
            raise Failed(f"{change}. Change the default, or use LongText for a text with several lines.")
        self._survives(parameters, opened)

    def _read(self, posted: Posted) -> tuple[BaseModel | None, list[Complaint]]:
        """Validate a form, as far as the field: the parameters, or the complaints about it."""
        sent = MultiDict([*self.others.items(multi=True), *posted.items(multi=True)])
        reader = Reader(_as_sent(self.fields, sent), OWN)
        bounds = {field.name: reader.bind(field) for field in self.fields}
        fields = {inside.field.name: inside.field for bound in bounds.values() for inside in bound.all()}
        found = [
            Complaint(fields.get(name, Field(name, "", "")), words)
            for name, words in {**reader.errors, **reader.limits}.items()
        ]
        try:
            parameters = load(self.model, _raw_of(bounds))
        except ValidationError as error:
            details = error.errors(include_url=False)
            return None, found or [_complaint(bounds, detail) for detail in details]
        return None if found else parameters, found

    def _survives(self, parameters: BaseModel, posted: Posted) -> None:
        try:
            shown, whole, _secrets = stored(parameters)
        except Unstorable as error:
            raise Failed(f"would not reach the task: its stored value {error}.{ANOTHER}") from error
        field = self.fields[-1]
        bound = Reader(_as_sent(self.fields, posted), OWN).bind(field)
        if lost := _lost(bound, whole[field.name]) if field.name in whole else field.name:
            raise Failed(f"would not reach the task: its part {lost!r} is not stored.{ANOTHER}")
        again, complaints = self._read(posted_of(self.fields[-1:], reopened(shown, whole)))
        if again is None:
            raise Failed(f"cannot fill its form again after a run. {_at(complaints[0])}{ANOTHER}")
        if again != parameters:
            got, wanted = getattr(again, field.name), getattr(parameters, field.name)
            raise Failed(f"would change when a run is edited, to {got!r} from {wanted!r}.{ANOTHER}")

    def _raw(self, posted: Posted) -> dict[str, Any]:
        reader = Reader(_as_sent(self.fields, posted), OWN)
        names = {name.partition(".")[0] for name in posted}
        return _raw_of({field.name: reader.bind(field) for field in self.fields if field.name in names})


def _as_sent(fields: tuple[Field, ...], posted: Posted) -> Posted:
    """Return what a browser makes of a form's values: only text areas have several lines."""
    shown = [inside.field for field in fields for inside in Reader(MultiDict(posted)).bind(field).all()]
    areas = {field.name for field in shown if field.kind == "long_text"}
    pairs = [(name, text.replace("\r\n", "\n").replace("\r", "\n")) for name, text in posted.items(multi=True)]
    return MultiDict([(name, text if name in areas else text.replace("\n", "")) for name, text in pairs])


def _raw_of(bounds: Mapping[str, BoundField]) -> dict[str, Any]:
    return {name: bound.raw for name, bound in bounds.items() if bound.raw is not Missing}


def _is_fixed(field: Field) -> bool:
    """Return whether there are no other texts to try."""
    return field.is_compound or bool(field.choices) or field.kind in ("switch", "file", "files")


def _complaint(bounds: Mapping[str, BoundField], detail: ErrorDetails) -> Complaint:
    first, *rest = detail["loc"] or ("",)
    bound = bounds.get(str(first))
    field = bound.at(tuple(rest)).field if bound else Field(str(first), "", "")
    return Complaint(field, message(detail, field.kind), detail["type"], detail.get("ctx"))


def _at(complaint: Complaint) -> str:
    name = complaint.field.name
    return f"{name}: {complaint.words}" if "." in name else complaint.words


def _broken(error: BaseException) -> str:
    said = (str(error) or repr(error)).splitlines()[0]
    kind = type(error).__name__
    return f"fails with {kind}: {said}. A default_factory must not raise, and a validator only ValueError."


def _lost(bound: BoundField, whole: Any) -> str:
    """Return the name of a part that was sent and is not stored, or an empty text."""
    parts = [(name, child) for name, child in bound.children.items() if child.raw is not Missing]
    if bound.field.kind in ("group", "variant") and isinstance(whole, dict):
        gone = [child.field.name for name, child in parts if name not in whole]
        return next(iter(gone), "") or _first(_lost(child, whole[name]) for name, child in parts)
    if bound.field.kind in ("rows", "tuple") and isinstance(whole, list):
        return _first(_lost(child, part) for (_name, child), part in zip(parts, whole, strict=False))
    return ""


def _first(names: Iterable[str]) -> str:
    return next(filter(None, names), "")
