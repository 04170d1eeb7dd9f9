"""`@task`: an annotated Python function becomes a task that users can run."""

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypedDict, TypeVar, Unpack, overload

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model

from jobs.authoring.context import Cancelled, Checkpoint, Emit, Log, Progress, User
from jobs.authoring.examples import example_of, files_of
from jobs.authoring.file_parameters import File
from jobs.authoring.secret_parameters import typed_secret_in
from jobs.authoring.secrets import NAME, Secrets
from jobs.authoring.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT_SECONDS = 3600
GRACE_SECONDS = 5.0
LONGEST_NAME = 100
BACKOFF_SECONDS = 10.0
CONTEXT_TYPES: tuple[Any, ...] = (Progress, Cancelled, Log, Emit, Checkpoint, Workspace, User, Secrets)

LongText = Annotated[str, Field(json_schema_extra={"format": "long-text"})]
"""A string that is edited in several lines."""

Slider = Field(json_schema_extra={"slider": True})
"""Beside the limits of a number, sets it by a slider too: `Annotated[float, Field(ge=0, le=1), Slider]`."""


class TaskError(Exception):
    """A task is defined wrongly; the message begins with the file and line."""


class Options(TypedDict, total=False):
    """What `@task(...)` may say of a task beside its signature; times are in seconds, memory in MB."""

    title: str
    timeout: float
    retries: int
    backoff: float
    memory: int | None
    grace: float
    secrets: Sequence[str]
    keep: bool
    example: Mapping[str, Any] | None


@dataclass(frozen=True)
class TaskSummary:
    """What a worker needs to know of a task whose code it never has: times in seconds, memory in MB.

    `asks_for` are the names of those of CONTEXT_TYPES that the worker has to provide for.
    """

    name: str
    timeout: float = TIMEOUT_SECONDS
    retries: int = 0
    backoff: float = BACKOFF_SECONDS
    memory: int | None = None
    grace: float = GRACE_SECONDS
    secrets: Sequence[str] = ()
    keep: bool = False
    asks_for: Sequence[str] = ()


@dataclass(frozen=True)
class Task:
    """What is known of a task: its function, its parameters as a pydantic model, and what it asks for."""

    name: str
    title: str
    description: str
    function: Callable[..., Any]
    parameters: type[BaseModel]
    source: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = TIMEOUT_SECONDS
    retries: int = 0
    backoff: float = BACKOFF_SECONDS
    memory: int | None = None
    grace: float = GRACE_SECONDS
    secrets: Sequence[str] = ()
    keep: bool = False
    example: Mapping[str, Any] | None = None  # JSON
    example_files: Sequence[File] = ()  # those that it refers to

    @property
    def attempts(self) -> int:
        """How often a run that keeps failing is tried."""
        return self.retries + 1

    def asks_for(self, kind: Any) -> bool:
        """Whether one of its parameters is annotated with this one of CONTEXT_TYPES."""
        return kind in self.context.values()

    @property
    def summary(self) -> TaskSummary:
        """What a worker needs to know of it."""
        names = [kind.__name__ for kind in (Checkpoint, User, Secrets) if self.asks_for(kind)]
        shared = {each.name: getattr(self, each.name) for each in fields(TaskSummary) if each.name != "asks_for"}
        return TaskSummary(**shared, asks_for=names)

    def call(self, parameters: BaseModel, context: Mapping[Any, Any]) -> Any:
        """Call the function with validated parameters and what it asks for from `context`, by type."""
        return self.function(**vars(parameters), **{name: context[kind] for name, kind in self.context.items()})


@overload
def task(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def task(**options: Unpack[Options]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def task(
    function: Callable[P, R] | None = None, /, **options: Unpack[Options]
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a task; it stays the plain function it was.

    The function's name is the task's name and address; the docstring's first line is its description. Options:

    - `title` replaces the name as people read it.
    - `timeout` is the longest it may run, in seconds (3,600).
    - `retries` is how often a run that fails is tried again by itself (0), after about `backoff` seconds (10), which
      double each time. A FinalFailure, parameters or a result that cannot be used are not tried again.
    - `memory` is how much a run may take beyond what its process holds already, in MB (no limit). Linux enforces it.
    - `grace` is how long a run that its owner stops may tidy up, in seconds (5).
    - `secrets` names those of its user's secrets that it gets, such as ("API_TOKEN",), where it asks for Secrets (all);
      its page says before a run which of them are missing.
    - `keep` has all of its runs on a worker share one process, one after another: for state that is expensive to make
      and cannot be forked, such as a model on a GPU. What a run leaves in memory the next one finds, also another
      user's; so it cannot be had together with secrets. A run that does not succeed, or that leaves threads, child
      processes, signal handlers, alarms, the working directory, the umask or the environment changed, ends the process.
    - `example` are parameters that its page offers to fill in, with files as `File.at(path)`; without it, those that
      `Field(examples=...)` says.

    Raises TaskError for a signature that cannot become a form, an option that means nothing, a refused example.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        function.__dict__["__task__"] = _define(function, options)
        return function

    return register if function is None else register(function)


def _define(function: Callable[..., Any], options: Options) -> Task:
    name = function.__name__
    source = f"{readable(function.__code__.co_filename)}:{function.__code__.co_firstlineno}"
    try:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"its name is longer than {LONGEST_NAME} characters")
        _check(options)
        signature = inspect.signature(function, eval_str=True)
        context = {p.name: p.annotation for p in signature.parameters.values() if p.annotation in CONTEXT_TYPES}
        if options.get("secrets") and Secrets not in context.values():
            raise TypeError("the option 'secrets' needs a parameter to bring them, such as secrets: Secrets")
        parameters = [p for p in signature.parameters.values() if p.name not in context]
        model = create_model(
            name,
            __config__=ConfigDict(validate_default=True, extra="forbid", allow_inf_nan=False),
            __module__=function.__module__,
            **{p.name: _field(p) for p in parameters},
        )
        if found := typed_secret_in(model.__pydantic_core_schema__):
            raise TypeError(
                f"{found!r} is a Secret of a type, which cannot be kept; use SecretStr, and convert its value"
            )
        if options.get("keep") and (Secrets in context.values() or _takes_secrets(model)):
            raise TypeError("the option 'keep' and secrets exclude each other: runs of several users share a process")
        example, files = example_of(model, options.get("example")), tuple(files_of(options.get("example")))
    except (TypeError, ValueError, NameError, PydanticUserError) as error:
        raise TaskError(f"{source}: task {name!r}: {str(error).splitlines()[0]}") from error
    description = (inspect.getdoc(function) or "").split("\n")[0].strip()
    named: Options = {"title": _spoken(name), **options, "example": example}
    return Task(
        name,
        description=description,
        function=function,
        parameters=model,
        source=source,
        context=context,
        example_files=files,
        **named,
    )


def _takes_secrets(model: type[BaseModel]) -> bool:
    """Return whether a parameter, or a part of one, is a secret."""
    return '"format": "password"' in json.dumps(model.model_json_schema(), default=str)


def _check(options: Options) -> None:
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise TypeError(f"there is no option {unknown[0]!r}; the options are {', '.join(Options.__annotations__)}")
    for name in ("timeout", "retries", "backoff", "memory", "grace"):
        value, least = options.get(name), 1 if name in ("timeout", "memory") else 0
        if value is not None and (not isinstance(value, int | float) or not least <= value < math.inf):
            raise ValueError(f"the option {name!r} must be a number from {least} on, not {value!r}")
    if not isinstance(options.get("keep", False), bool):
        raise ValueError("the option 'keep' must be True or False")
    if not isinstance(options.get("retries", 0), int):
        raise ValueError("the option 'retries' must be a whole number")
    names: Any = options.get("secrets", ())
    if isinstance(names, str) or not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError("the option 'secrets' must be a list of names such as [\"API_TOKEN\"]")


def _field(parameter: inspect.Parameter) -> Any:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"parameter {parameter.name!r} must be a named one, without * or /")
    if parameter.annotation is parameter.empty:
        raise TypeError(f"parameter {parameter.name!r} needs a type annotation, such as {parameter.name}: int")
    default = ... if parameter.default is parameter.empty else parameter.default
    return (parameter.annotation, default)


def _spoken(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def readable(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
