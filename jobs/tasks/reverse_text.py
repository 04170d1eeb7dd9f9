"""Reverse a text."""

from typing import Annotated

import regex
from pydantic import Field

from jobs import LongText, task


@task(group="Texts", icon="document", memory=100, example={"text": "A man, a plan, a café: Panamá! 👩‍🍳"})
def reverse_text(text: Annotated[LongText, Field(min_length=1, max_length=1000)]) -> str:
    """Write a text backwards, keeping accents and emoji whole."""
    return "".join(reversed(regex.findall(r"\X", text)))
