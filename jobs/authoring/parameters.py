"""Parameters between JSON and models: the one way in which forms and workers read them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from jobs.authoring.file_parameters import OPEN
from jobs.authoring.secret_parameters import Written, written


class Unstorable(ValueError):
    """Parameters that a worker would not read as they are. The message completes "the stored value …"."""


def load(
    model: type[BaseModel], document: Mapping[str, Any], opened_by: Callable[[str], BinaryIO] | None = None
) -> BaseModel:
    """Validate a document as JSON, in which a strict model accepts dates, decimals, choices and sets, too.

    `opened_by` opens the files among the parameters. Raises ValidationError.
    """
    context = {OPEN: opened_by} if opened_by else None
    return model.model_validate_json(to_json(document, inf_nan_mode="constants"), context=context)


def stored(parameters: BaseModel) -> Written:
    """Return the parameters as they are stored. Raises Unstorable if a worker would not read the same ones."""
    try:
        documents = written(parameters)
        json.dumps(documents.whole, allow_nan=False)
        again = load(type(parameters), documents.whole)
    except ValidationError as error:
        # Without the input, which may be a secret, and without the error itself, whose text shows the input.
        raise Unstorable(f"cannot be read again: {error.errors(include_input=False)[0]['msg']}") from None
    except (ValueError, RecursionError):
        raise Unstorable("has no form in JSON") from None
    if again != parameters:
        raise Unstorable("is another one when it is read again")
    return documents
