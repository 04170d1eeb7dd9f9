"""Choices from a JSON schema."""

from collections.abc import Mapping
from typing import Any

from webapp.forms.fields import MOST_OPTIONS, MOST_RADIOS, Choice
from webapp.forms.json_schema import NoField

YES_OR_NO = (Choice("true", "Yes", True), Choice("false", "No", False))


def choices_of(spec: Mapping[str, Any]) -> tuple[Choice, ...]:
    """Return the choices of a schema that lists its values. Raises NoField if any are empty or have the same text."""
    if spec.get("type") == "boolean" and spec.get("nullable"):
        return YES_OR_NO
    values = spec.get("enum", [spec["const"]] if "const" in spec else [])
    labels = spec.get("labels", [str(value) for value in values])
    choices = tuple(Choice(str(value), label, value) for value, label in zip(values, labels, strict=True))
    if len({choice.text for choice in choices} | {""}) <= len(choices) or len(set(labels)) < len(choices):
        raise NoField("has an empty choice, or two choices with the same text. Give each choice a text of its own.")
    return choices


def kind_of(choices: tuple[Choice, ...]) -> str:
    """Return the field kind that suits this number of choices."""
    if len(choices) <= MOST_RADIOS:
        return "radios"
    return "select" if len(choices) <= MOST_OPTIONS else "search"
