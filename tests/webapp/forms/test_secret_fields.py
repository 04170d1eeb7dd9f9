"""Fields for secrets, and the annotations that can have none."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, Secret, SecretStr, StringConstraints

from jobs import task
from jobs.authoring.task import TaskError
from webapp import forms


class Login(BaseModel):
    user: str
    password: SecretStr


def test_a_secret_as_a_default_is_refused_at_start() -> None:
    def wrong(token: SecretStr = SecretStr("abc")) -> None: ...  # noqa: B008  # that is what is refused

    with pytest.raises(TaskError, match="has a secret as its default"):
        forms.fields_of(task(wrong).__dict__["__task__"])


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[SecretStr, Field(pattern="^ghp_")], "a constraint that secrets cannot have"),
        (
            Annotated[SecretStr, Field(min_length=4), StringConstraints(strip_whitespace=True)] | None,
            "secrets cannot have",
        ),
        (list[Annotated[SecretStr, Field(pattern="^ghp_", min_length=4)]], "a constraint that secrets cannot have"),
        (Annotated[Secret[str], Field(pattern="^ghp_")], "a constraint that secrets cannot have"),
        (Annotated[Secret[int] | None, Field(ge=1000, le=9999)], "has limits outside its Secret"),
    ],
)
def test_a_rule_that_would_fail_with_every_secret_is_refused_at_start(annotation: Any, words: str) -> None:
    def wrong(token: Any) -> None: ...

    wrong.__annotations__["token"] = annotation
    with pytest.raises(TaskError, match=rf"parameter 'token' .*{words}"):
        forms.fields_of(task(wrong).__dict__["__task__"])


@pytest.mark.parametrize(
    "annotation", [Secret[Login], Secret[list[int]] | None, list[Secret[Literal["a", "b"]]], Secret[int | str]]
)
def test_a_secret_that_no_line_of_text_holds_is_refused_at_start(annotation: Any) -> None:
    def wrong(token: Any) -> None: ...

    wrong.__annotations__["token"] = annotation
    with pytest.raises(TaskError, match="parameter 'token' is a Secret of a type without a single-line field"):
        forms.fields_of(task(wrong).__dict__["__task__"])


def test_a_password_that_would_be_kept_as_text_is_refused_at_start() -> None:
    def wrong(token: Annotated[str, Field(json_schema_extra={"format": "password"})]) -> None: ...

    with pytest.raises(TaskError, match="parameter 'token' is a str with the format password"):
        forms.fields_of(task(wrong).__dict__["__task__"])
