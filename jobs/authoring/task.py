"""The `@task` decorator, which turns an annotated Python function into a task that users can run."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, Unpack, overload

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model
from pydantic_core import SchemaError

from jobs.authoring import same_runs
from jobs.authoring.code_version import code_version
from jobs.authoring.context import Cancelled, Checkpoint, Emit, Log, Progress, User
from jobs.authoring.examples import example_of, files_of
from jobs.authoring.file_parameters import File
from jobs.authoring.options import OWNER, Options, RunOptions, check
from jobs.authoring.secret_parameters import SecretSchema
from jobs.authoring.secrets import Secrets
from jobs.authoring.workspace import Workspace
from jobs.values.text import label_of

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_NAME = 100
CONTEXT_TYPES: tuple[Any, ...] = (Progress, Cancelled, Log, Emit, Checkpoint, Workspace, User, Secrets)

LongText = Annotated[str, Field(json_schema_extra={"format": "long-text"})]
"""A string edited in a multi-line text field."""

Slider = Field(json_schema_extra={"slider": True})
"""Adds a slider to a number with limits: `Annotated[float, Field(ge=0, le=1), Slider]`."""


class TaskError(Exception):
    """An invalid task definition; the message starts with the file and line."""


@dataclass(frozen=True)
class TaskSummary(RunOptions):
    """The part of a task that the supervisor needs, which never imports its code.

    `asks_for` lists the names of the CONTEXT_TYPES that the supervisor must provide data for. `code` is the version of
    its code.
    """

    name: str
    asks_for: Sequence[str] = ()
    code: str = ""


@dataclass(frozen=True)
class Task(RunOptions):
    """A task definition: the function, its parameters as a pydantic model, its context types and its options."""

    name: str
    title: str
    description: str
    function: Callable[..., Any]
    parameters: type[BaseModel]
    source: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    example: Mapping[str, Any] | None = None  # JSON
    example_files: Sequence[File] = ()  # the files that the example refers to
    groups: Sequence[str] = ()  # the names of those that may use the task; none means everybody
    group: str = ""
    tags: Sequence[str] = ()
    icon: str = ""
    unique: str | None = None
    reuse: timedelta | None = None

    @property
    def attempts(self) -> int:
        """The maximum number of attempts for a run that keeps failing."""
        return self.retries + 1

    def asks_for(self, kind: Any) -> bool:
        """Return whether a parameter of the function is annotated with this context type."""
        return kind in self.context.values()

    @property
    def summary(self) -> TaskSummary:
        """The settings that a worker needs."""
        names = [kind.__name__ for kind in (Checkpoint, User, Secrets) if self.asks_for(kind)]
        options = {option.name: getattr(self, option.name) for option in fields(RunOptions)}
        code = code_version(self.function.__code__.co_filename)
        return TaskSummary(self.name, names, code, **options)

    def call(self, parameters: BaseModel, context: Mapping[Any, Any]) -> Any:
        """Call the function with validated parameters, and with the objects in `context` for its context types."""
        return self.function(**vars(parameters), **{name: context[kind] for name, kind in self.context.items()})


@overload
def task(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def task(**options: Unpack[Options]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def task(
    function: Callable[P, R] | None = None, /, **options: Unpack[Options]
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function as a task, and return the function unchanged.

    The function's name becomes the task's name and URL; the first line of its docstring is the description. Options
    (defaults in parentheses):

    - `title`: the name shown to users (the function's name).
    - `timeout`: the maximum run time in seconds (3,600).
    - `retries`: the number of automatic retries of a failed run (0). The first one waits about `backoff` seconds (10),
      and each further one twice as long. A FinalFailure, invalid parameters and an invalid result are never retried.
    - `memory`: the memory limit of a run in MB, on top of what its process already uses (no limit). Linux only.
    - `grace`: the time in seconds that a cancelled run has to clean up (5).
    - `secrets`: the names of the user's secrets to pass, such as ("API_TOKEN",), for a task with a Secrets parameter
      (all). The task's page lists the missing ones before a run.
    - `keep`: run all of the task's runs on a worker in one process, one after another (False). Use it for state that is
      expensive to create and cannot be forked, such as a model on a GPU. Data that a run leaves in memory is visible to
      later runs, including other users', so `keep` and secrets exclude each other. The process ends after a run that
      does not succeed, or that leaves threads, child processes, signal handlers, alarms, or a changed working
      directory, umask or environment.
    - `example`: parameters that the task's page offers to fill in, with files as `File.at(path)` (the first of each
      field's `Field(examples=...)`).
    - `concurrency`: the most runs that are running at once (no limit). With `per`, which names a parameter, at once for
      each value of it; with `per="owner"`, for each user.
    - `groups`: the names of the groups that may see and run the task, such as ["finance"] (everybody). An administrator
      can choose others on a page.
    - `group`, `tags`, `icon`: the heading that lists the task, words that find it, and a name of ICONS or an emoji.
    - `unique`: "parameters" leads a submission to the same user's run with these parameters that waits or runs (None).
    - `reuse`: the timedelta for which a result is shown to the same user instead of another run with the same
      parameters, files and code (None). For tasks without secrets and User.

    Raises TaskError when the signature cannot become a form, or an option or the example is invalid.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        function.__dict__["__task__"] = _define(function, options)
        return function

    return register if function is None else register(function)


def _define(function: Callable[..., Any], options: Options) -> Task:
    source = f"{readable(function.__code__.co_filename)}:{function.__code__.co_firstlineno}"
    try:
        return _task(function, source, options)
    except Exception as error:  # annotations may run any code
        said = (str(error) or repr(error)).splitlines()[0]
        raise TaskError(f"{source}: task {function.__name__!r}: {said}") from error


def _task(function: Callable[..., Any], source: str, options: Options) -> Task:
    name = function.__name__
    if len(name) > LONGEST_NAME:
        raise ValueError(f"the name is longer than {LONGEST_NAME} characters")
    check(options)
    parameters = _parameters(function)
    context = {p.name: p.annotation for p in parameters if p.annotation in CONTEXT_TYPES}
    model = _model(function, [p for p in parameters if p.name not in context])
    _check_secrets(options, Secrets in context.values(), model)
    _check_per(options.get("per"), model)
    unique, reuse = options.get("unique"), options.get("reuse")
    same_runs.check(unique, reuse, context.values(), bool(unique or reuse) and _takes_secrets(model))
    declared = options.get("example")
    named: Options = {"title": label_of(name), **options, "example": example_of(model, declared)}
    return Task(
        name,
        description=(inspect.getdoc(function) or "").split("\n")[0].strip(),
        function=function,
        parameters=model,
        source=source,
        context=context,
        example_files=tuple(files_of(declared)),
        **named,
    )


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function with their annotations evaluated."""
    try:
        return list(inspect.signature(function, eval_str=True).parameters.values())
    except Exception as error:
        unknown = error.name if isinstance(error, NameError) else ""
        annotations = function.__annotations__.items()
        name = next((name for name, words in annotations if unknown and unknown in str(words)), None)
        place = f"the annotation of {name!r}" if name else "an annotation"
        advice = "Import or define what it names above the task, and not under TYPE_CHECKING."
        raise TypeError(f"{place} cannot be evaluated: {error}. {advice}") from error


def _model(function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> type[BaseModel]:
    fields = {p.name: _field(p) for p in parameters}
    try:
        model = _model_of(function, fields)
    except Exception as error:
        raise TypeError(f"parameter {_first_refused(function, fields)!r} {_reason(error)}") from error
    for name in fields:
        if name not in model.model_fields:
            raise TypeError(f"parameter {name!r} cannot be a field: rename it without a leading _, or remove ClassVar")
    return model


def _model_of(function: Callable[..., Any], fields: Mapping[str, Any]) -> type[BaseModel]:
    return create_model(
        function.__name__,
        __config__=ConfigDict(validate_default=True, extra="forbid", allow_inf_nan=False),
        __module__=function.__module__,
        **fields,
    )


def _first_refused(function: Callable[..., Any], fields: Mapping[str, Any]) -> str:
    for name, definition in fields.items():
        try:
            _model_of(function, {name: definition})
        except Exception:
            return name
    return list(fields)[-1]


def _reason(error: Exception) -> str:
    """Return why pydantic makes no field of a parameter, and what to write instead."""
    lines = (str(error) or repr(error)).splitlines()
    said = lines[-1].strip() if isinstance(error, SchemaError) else lines[0]
    if "conflicts with member" in said:
        return "has a name that pydantic uses itself. Rename it."
    kind = "" if isinstance(error, PydanticUserError | SchemaError) else f"{type(error).__name__}: "
    advice = "docs/tasks.md lists the types that have a form field."
    return f"has a type that cannot be used: {kind}{said.split('. Set `')[0].rstrip('.')}. {advice}"


def _field(parameter: inspect.Parameter) -> Any:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"parameter {parameter.name!r} must accept a keyword argument: remove * or /")
    if parameter.annotation is parameter.empty:
        raise TypeError(f"parameter {parameter.name!r} needs a type annotation, such as {parameter.name}: int")
    default = ... if parameter.default is parameter.empty else parameter.default
    return (parameter.annotation, default)


def _check_secrets(options: Options, gets_secrets: bool, model: type[BaseModel]) -> None:
    if options.get("secrets") and not gets_secrets:
        raise TypeError("the option 'secrets' requires a parameter such as secrets: Secrets")
    if options.get("keep") and (gets_secrets or _takes_secrets(model)):
        raise TypeError("the option 'keep' cannot be combined with secrets: several users' runs share one process")


def _takes_secrets(model: type[BaseModel]) -> bool:
    """Return whether a parameter, or a part of one, is secret."""
    return '"format": "password"' in _schema(model)


def _schema(model: type[BaseModel]) -> str:
    return json.dumps(model.model_json_schema(schema_generator=SecretSchema), default=str)


def _check_per(per: str | None, model: type[BaseModel]) -> None:
    """Raise TypeError if a limit cannot be counted for each value of this parameter."""
    if per is None or (per == OWNER and per not in model.model_fields):
        return
    if per == OWNER:
        raise TypeError(f"per={OWNER!r} means both the user and the parameter {OWNER!r}: rename the parameter")
    if per not in model.model_fields:
        named = ", ".join(map(repr, (*model.model_fields, OWNER)))
        raise TypeError(f"per={per!r} names no parameter: use one of {named}")
    field = model.model_fields[per]
    fields: dict[str, Any] = {per: (field.annotation, field)}
    alone = create_model(per, **fields)
    if _takes_secrets(alone):
        raise TypeError(f"per={per!r} names a secret, which is not stored to be compared: use another parameter")
    if '"uniqueItems": true' in _schema(alone):
        raise TypeError(
            f"per={per!r} names a set, which has no order to be compared by: use a list, or another parameter"
        )


def readable(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
