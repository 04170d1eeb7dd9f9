"""`@task`: an annotated Python function becomes a task that users can run."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model

from jobs.context import Progress

P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT_SECONDS = 3600
CONTEXT_TYPES: frozenset[type] = frozenset({Progress})

LongText = Annotated[str, Field(json_schema_extra={"format": "long-text"})]
"""A string that is edited in several lines."""


class TaskError(Exception):
    """A task is defined wrongly; the message begins with the file and line."""


@dataclass(frozen=True)
class Task:
    """What is known of a task: its function, its parameters as a pydantic model, and what it asks for."""

    name: str
    title: str
    description: str
    function: Callable[..., Any]
    parameters: type[BaseModel]
    timeout: int = TIMEOUT_SECONDS
    source: str = ""
    context: Mapping[str, type] = field(default_factory=dict)

    def call(self, parameters: BaseModel, context: Mapping[type, Any]) -> Any:
        """Call the function with validated parameters and what it asks for from `context`, by type."""
        arguments = {name: getattr(parameters, name) for name in self.parameters.model_fields}
        return self.function(**arguments, **{name: context[kind] for name, kind in self.context.items()})


@overload
def task(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def task(*, title: str | None = None, timeout: int = TIMEOUT_SECONDS) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def task(
    function: Callable[P, R] | None = None, /, *, title: str | None = None, timeout: int = TIMEOUT_SECONDS
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a task; it stays the plain function it was.

    The function's name is the task's name and address; the docstring's first line is its description. `title` replaces
    the name as people read it; `timeout` is the longest it may run, in seconds. Raises TaskError for a signature that
    cannot become a form.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        function.__dict__["__task__"] = _define(function, title, timeout)
        return function

    return register if function is None else register(function)


def _define(function: Callable[..., Any], title: str | None, timeout: int) -> Task:
    name = function.__name__
    source = f"{_readable(function.__code__.co_filename)}:{function.__code__.co_firstlineno}"
    try:
        signature = inspect.signature(function, eval_str=True)
        context = {p.name: p.annotation for p in signature.parameters.values() if p.annotation in CONTEXT_TYPES}
        parameters = [p for p in signature.parameters.values() if p.name not in context]
        model = create_model(
            name,
            __config__=ConfigDict(validate_default=True, extra="forbid", allow_inf_nan=False),
            __module__=function.__module__,
            **{p.name: _field(p) for p in parameters},
        )
    except (TypeError, ValueError, NameError, PydanticUserError) as error:
        raise TaskError(f"{source}: task {name!r}: {str(error).splitlines()[0]}") from error
    description = (inspect.getdoc(function) or "").split("\n")[0].strip()
    return Task(name, title or _spoken(name), description, function, model, timeout, source, context)


def _field(parameter: inspect.Parameter) -> Any:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"parameter {parameter.name!r} must be a named one, without * or /")
    if parameter.annotation is parameter.empty:
        raise TypeError(f"parameter {parameter.name!r} needs a type annotation, such as {parameter.name}: int")
    default = ... if parameter.default is parameter.empty else parameter.default
    return (parameter.annotation, default)


def _spoken(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def _readable(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
