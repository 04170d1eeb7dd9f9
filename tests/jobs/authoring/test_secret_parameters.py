"""Secret parameters: whatever a model or its serializer looks like, only its task gets the secret in clear."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, PlainSerializer, Secret, SecretBytes, SecretStr
from sqlalchemy import text

from jobs import task
from jobs.authoring.task import Task, TaskError, TaskSummary
from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.runs.submission import given_parameters, submit
from jobs.worker.attempt import order_for
from jobs.worker.execute import Order
from tests.support.people import make_owner, read, with_key
from tests.support.secret_models import (
    Account,
    Aliased,
    Alone,
    Both,
    Door,
    Encoded,
    Joined,
    Keyed,
    Listed,
    Pin,
    Plate,
    Renaming,
    Reshaping,
    Rooted,
    Safe,
    Swapping,
)

TOKEN = "correct-horse-battery"
LOGIN = {"user": "ada", "password": TOKEN}
PASSWORD = {"password": TOKEN}
ACCOUNT = {"until": "2026-01-31", "length": "PT1H", "price": "1.50", "names": ["b"], "shape": "round", "more": [1]}
DAY = {"code": "2026-01-31"}
SEALED = {"$sealed": "•••"}
Doubled = Annotated[str, AfterValidator(lambda text: text * 2)]


@pytest.mark.parametrize(
    ("annotation", "given", "shown"),
    [
        (SecretStr, TOKEN, SEALED),
        (SecretStr, "", SEALED),
        (SecretBytes, TOKEN, SEALED),
        (Secret[str], TOKEN, SEALED),
        (Secret[date], "2026-01-31", SEALED),
        (Secret[Renaming], LOGIN, SEALED),
        (Pin | None, 1234, SEALED),
        (Annotated[Secret[str], PlainSerializer(lambda secret: secret.get_secret_value())], TOKEN, SEALED),
        (Both, [1, 2345], [1, SEALED]),
        (Door | int, DAY, {"code": SEALED}),
        (Safe, DAY, {"code": SEALED}),
        (set[SecretStr], [TOKEN], [SEALED]),
        (Account, {**PASSWORD, **ACCOUNT}, {"password": SEALED, **ACCOUNT}),
        (Renaming, LOGIN, {"user": "ada", "password": SEALED}),
        (Swapping, LOGIN, {"user": "ada", "password": SEALED}),
        (Reshaping, PASSWORD, {"password": SEALED}),
        (Alone, PASSWORD, {"password": SEALED}),
        (Aliased, PASSWORD, {"password": SEALED}),
        (Plate, LOGIN, {"user": "ada", "password": SEALED}),
        (Joined, LOGIN, {"user": "ada", "password": SEALED}),
        (Encoded, LOGIN, {"user": "ada", "password": SEALED}),
        (Rooted, LOGIN, {"user": "ada", "password": SEALED}),
        (Listed, [LOGIN, LOGIN], [{"user": "ada", "password": SEALED}] * 2),
        (dict[date, Plate | Alone], {"2026-01-01": LOGIN}, {"2026-01-01": {"user": "ada", "password": SEALED}}),
        (dict[str, list[Joined | None]], {"a": [LOGIN, None]}, {"a": [{"user": "ada", "password": SEALED}, None]}),
        (tuple[Alone, Pin, int], [PASSWORD, 4567, 3], [{"password": SEALED}, SEALED, 3]),
    ],
)
def test_a_secret_of_any_shape_reaches_its_task_and_is_not_shown(
    backend: Backend, annotation: Any, given: Any, shown: Any
) -> None:
    found, parameters = asking_for(annotation, given)
    run = read(backend, submit(backend, found, make_owner(backend), parameters))
    assert run.parameters == {"value": shown, "note": "x"}
    assert found.parameters.model_validate(order(backend, run).parameters) == parameters
    assert TOKEN not in columns(backend)


@pytest.mark.parametrize(
    ("annotation", "given", "hidden"),
    [
        (list[Joined], [LOGIN, {"user": "ben", "password": "another-one"}], [TOKEN, "another-one"]),
        (Secret[date], "2026-01-31", ["2026-01-31"]),
        (Pin, 1234, ["1234"]),
        (SecretBytes, TOKEN, [TOKEN]),
    ],
)
def test_the_worker_knows_each_secret_that_it_has_to_hide(
    backend: Backend, annotation: Any, given: Any, hidden: list[str]
) -> None:
    found, parameters = asking_for(annotation, given)
    run = submit(backend, found, make_owner(backend), parameters)
    assert order(backend, run).hidden == hidden


def test_a_run_without_a_secret_is_not_encrypted(backend: Backend) -> None:
    found, parameters = asking_for(SecretStr | None, None)
    run = submit(backend, found, make_owner(backend), parameters)
    assert (run.parameters, run.encrypted_parameters) == ({"value": None, "note": "x"}, None)
    assert order(backend, run).parameters == run.parameters


def test_texts_that_only_look_like_a_secret_stay_what_was_entered(backend: Backend) -> None:
    class Ticket(BaseModel):
        seat: SecretStr
        day: date
        note: str
        counts: dict[int, list[str]]

    given = {"seat": "1", "day": "2011-11-11", "note": "1 of 11", "counts": {"1": ["1"]}}
    found, parameters = asking_for(Ticket, given)
    run = submit(backend, found, make_owner(backend), parameters)
    assert run.parameters["value"] == {**given, "seat": SEALED}
    assert order(backend, run).parameters == {"value": given, "note": "x"}


def test_a_form_gets_back_what_was_entered_with_its_secrets(backend: Backend) -> None:
    given = {"a": [PASSWORD, {"password": "another-one"}], "$sealed": []}
    found, parameters = asking_for(dict[str, list[Alone]], given)
    run = submit(backend, found, make_owner(backend), parameters)
    secrets = [{"password": SecretStr("")}, {"password": SecretStr("")}]
    assert given_parameters(backend, run) == {"value": {"a": secrets, "$sealed": []}, "note": "x"}
    found, parameters = asking_for(list[Account], [{**PASSWORD, **ACCOUNT, "more": SEALED}])
    run = submit(backend, found, make_owner(backend, "ben@example.com"), parameters)
    (value,) = given_parameters(backend, run)["value"]
    assert value == {"password": SecretStr(TOKEN), **ACCOUNT, "more": SEALED}


def test_a_form_gets_an_empty_secret_when_no_key_decrypts_it(backend: Backend) -> None:
    found, parameters = asking_for(list[Account], [{**PASSWORD, **ACCOUNT}])
    run = submit(backend, found, make_owner(backend), parameters)
    later = replace(backend, vault=with_key(backend, "new" * 20))
    assert given_parameters(later, run)["value"] == [{"password": SecretStr(""), **ACCOUNT}]
    assert order(later, run).parameters is None


def test_parameters_moved_to_somebody_else_cannot_be_read(backend: Backend) -> None:
    found, parameters = asking_for(SecretStr, TOKEN)
    run = submit(backend, found, make_owner(backend), parameters)
    run.owner_id = make_owner(backend, "ben@example.com")
    assert order(backend, run).parameters is None
    assert backend.vault.unseal(run.owner_id, str(run.encrypted_parameters)) is None


@pytest.mark.parametrize(
    ("annotation", "given"),
    [(Keyed, LOGIN), (tuple[SecretStr, SecretBytes], [TOKEN, b"\xff"]), (tuple[SecretStr, Doubled], [TOKEN, "a"])],
)
def test_parameters_that_would_not_be_the_same_for_the_worker_are_refused(
    backend: Backend, annotation: Any, given: Any
) -> None:
    found, parameters = asking_for(annotation, given)
    with pytest.raises(TaskError, match="must return accepted values unchanged") as refused:
        submit(backend, found, make_owner(backend), parameters)
    assert TOKEN not in str(refused.value)
    assert TOKEN not in columns(backend)


def test_an_example_may_have_a_secret() -> None:
    def wants(login: Account, pin: Pin) -> None: ...

    example = {"login": {**PASSWORD, **ACCOUNT}, "pin": 1234}
    assert task(example=example)(wants).__dict__["__task__"].example == example


def asking_for(annotation: Any, given: Any) -> tuple[Task, BaseModel]:
    """A task that asks for this, and what it is given."""

    def wants(value: Any, note: str = "x") -> None: ...

    wants.__annotations__["value"] = annotation
    found: Task = task(wants).__dict__["__task__"]
    return found, found.parameters.model_validate({"value": given})


def order(backend: Backend, run: Run) -> Order:
    """Return the order that the worker which claims a run sends to its process."""
    claimed = lease.claim(backend.database, run.id, "worker")
    assert claimed is not None
    claimed.owner_id = run.owner_id
    return order_for(backend, claimed, TaskSummary(run.task), Path("/tmp"))


def columns(backend: Backend) -> str:
    """All that the database has of runs."""
    with backend.database.read() as session:
        return str(session.execute(text("SELECT * FROM runs")).all())
