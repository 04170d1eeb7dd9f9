"""A task that ends at once."""

from typing import Annotated

from pydantic import Field

from jobs import LongText, task


@task(example={"text": "a dish"})
def reverse_text(text: Annotated[LongText, Field(min_length=1, max_length=1000)]) -> str:
    """Write a text backwards."""
    return text[::-1]
