"""Task examples: parameters that let anyone who opens a task's page try it immediately."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from jobs.authoring.file_parameters import File
from jobs.authoring.secret_parameters import written


def example_of(model: type[BaseModel], said: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the example that a task declares, or else the examples of its fields, as JSON; empty if there are none.

    Raises TypeError when the example is not a mapping, and ValueError when the model rejects it.
    """
    if said is None:
        return _of_fields(model)
    if not isinstance(said, Mapping):
        raise TypeError(f"the option 'example' must be a mapping of parameters, not {said!r}")
    try:
        return written(model.model_validate(dict(said))).whole
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise ValueError(f"its example is not valid: {name}: {first['msg']}") from error


def files_of(said: Any) -> Iterator[File]:
    """Yield every file in the example that a task declares."""
    if isinstance(said, File):
        yield said
    elif isinstance(said, Mapping | list | tuple | set):
        for part in said.values() if isinstance(said, Mapping) else said:
            yield from files_of(part)


def _of_fields(model: type[BaseModel]) -> dict[str, Any]:
    required = {name: field.examples for name, field in model.model_fields.items() if field.is_required()}
    said = {name: examples[0] for name, examples in required.items() if examples}
    if not said or len(said) < len(required):
        return {}
    try:
        return written(model.model_validate(said)).whole
    except ValueError:  # examples of fields are documentation and need not be valid
        return {}
