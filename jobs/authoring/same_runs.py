"""The options of `@task` that make one run do for several, and the digest of parameters by which runs are the same."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from jobs.authoring.context import User
from jobs.authoring.file_parameters import File
from jobs.authoring.secrets import Secrets

PARAMETERS = "parameters"


def check(unique: Any, reuse: Any, context: Collection[Any], takes_secrets: bool) -> None:
    """Raise TypeError or ValueError, with what to write instead, if the options mean nothing for a task."""
    if unique not in (None, PARAMETERS):
        raise ValueError(f"the option 'unique' must be \"{PARAMETERS}\", not {unique!r}")
    if reuse is not None and not (isinstance(reuse, timedelta) and reuse > timedelta()):
        raise ValueError(f"the option 'reuse' must be a positive timedelta such as timedelta(days=7), not {reuse!r}")
    if unique and takes_secrets:
        raise TypeError("the option 'unique' cannot be combined with secret parameters: they are not compared")
    if reuse and (takes_secrets or Secrets in context):
        raise TypeError("the option 'reuse' cannot be combined with secrets: they are not compared")
    if reuse and User in context:
        raise TypeError("the option 'reuse' cannot be combined with a User: who it is is no parameter")


def digest(name: str, parameters: BaseModel) -> str | None:
    """Return a digest of a task's name and parameters, or None if one of them has no form that can be compared.

    A file counts by its content, name and media type, and a set in any order.
    """
    try:
        document = json.dumps([name, _plain(parameters)], allow_nan=False, sort_keys=True)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError):
        return None
    return hashlib.sha256(document.encode(errors="surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value as JSON, in the same form whenever it is equal."""
    if isinstance(value, File):
        return value.kept()
    if isinstance(value, RootModel):
        return _plain(value.root)
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields} | (value.model_extra or {})
    elif is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Mapping):
        return sorted(([_plain(key), _plain(part)] for key, part in value.items()), key=json.dumps)
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=json.dumps)
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else to_jsonable_python(value)
