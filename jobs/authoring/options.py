"""The options of `@task(...)`, and their checks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

from jobs.authoring.labels import check_labels
from jobs.authoring.secrets import NAME

TIMEOUT_SECONDS = 3600
GRACE_SECONDS = 5.0
BACKOFF_SECONDS = 10.0
OWNER = "owner"


class Options(TypedDict, total=False):
    """The options of `@task(...)`; times are in seconds, memory in MB."""

    title: str
    timeout: float
    retries: int
    backoff: float
    memory: int | None
    grace: float
    secrets: Sequence[str]
    keep: bool
    example: Mapping[str, Any] | None
    groups: Sequence[str]
    group: str
    tags: Sequence[str]
    icon: str
    concurrency: int | None
    per: str | None
    unique: str | None
    reuse: timedelta | None


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options that decide how a task's runs are executed: times in seconds, memory in MB."""

    timeout: float = TIMEOUT_SECONDS
    retries: int = 0
    backoff: float = BACKOFF_SECONDS
    memory: int | None = None
    grace: float = GRACE_SECONDS
    secrets: Sequence[str] = ()
    keep: bool = False
    concurrency: int | None = None
    per: str | None = None


def check(options: Options) -> None:
    """Raise TypeError or ValueError, with what to write instead, if an option means nothing."""
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; the options are {', '.join(Options.__annotations__)}")
    for name in ("timeout", "retries", "backoff", "memory", "grace"):
        value, least = options.get(name), 1 if name in ("timeout", "memory") else 0
        if value is not None and (not isinstance(value, int | float) or not least <= value < math.inf):
            raise ValueError(f"the option {name!r} must be a number of at least {least}, not {value!r}")
    if not isinstance(options.get("keep", False), bool):
        raise ValueError("the option 'keep' must be True or False")
    if not isinstance(options.get("retries", 0), int):
        raise ValueError("the option 'retries' must be an integer")
    _check_names(options)
    _check_limits(options)
    check_labels(options)


def _check_names(options: Options) -> None:
    groups: Any = options.get("groups", ())
    if isinstance(groups, str) or not all(isinstance(name, str) and name.strip() == name != "" for name in groups):
        raise ValueError("the option 'groups' must be a list of names such as [\"finance\"]")
    names: Any = options.get("secrets", ())
    if isinstance(names, str) or not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError("the option 'secrets' must be a list of names such as [\"API_TOKEN\"]")


def _check_limits(options: Options) -> None:
    concurrency, per = options.get("concurrency"), options.get("per")
    if concurrency is not None and (
        not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1
    ):
        raise ValueError(f"the option 'concurrency' must be a whole number of at least 1, not {concurrency!r}")
    if per is not None and not isinstance(per, str):
        raise ValueError("the option 'per' must be the name of a parameter, or \"owner\"")
    if per is not None and concurrency is None:
        raise TypeError("the option 'per' requires the option 'concurrency', such as concurrency=1")
