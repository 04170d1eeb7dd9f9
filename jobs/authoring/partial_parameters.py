"""A task's parameters without one that is to be filled in later."""

from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import BaseModel, create_model

from jobs.authoring.task import Task


def without(task: Task, name: str) -> Task:
    """Return a task that lacks one of its parameters. Raises LookupError if it has no such parameter."""
    return replace(task, parameters=_without(task.parameters, name))


@cache
def _without(model: type[BaseModel], name: str) -> type[BaseModel]:
    if name not in model.model_fields:
        raise LookupError(name)
    fields: dict[str, Any] = {
        field: (info.annotation, info) for field, info in model.model_fields.items() if field != name
    }
    return create_model(model.__name__, __config__=model.model_config, __module__=model.__module__, **fields)
