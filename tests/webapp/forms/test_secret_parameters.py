"""Secret parameters in forms: a secret reaches its task, and cannot be read on the way or afterwards."""

import json
from datetime import date
from typing import Annotated, Any

import pytest
from flask import Flask
from pydantic import (
    BaseModel,
    Field,
    PlainSerializer,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
)

from jobs import task
from jobs.runs import lease
from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import Run
from jobs.runs.submission import given_parameters
from jobs.values.outcome import Failure
from jobs.worker.execute import Order
from tests.support.calling import Received, executed
from tests.support.run_task import RunTask
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app, forms

TOKEN = "correct-horse-battery"


class Login(BaseModel):
    user: str
    password: SecretStr


@task
def fetch(
    token: Annotated[SecretStr, Field(min_length=8, max_length=40)],
    count: int = 1,
    other: SecretStr | None = None,
) -> str:
    """Fetch something."""
    return f"{len(token.get_secret_value())} {count} {other and len(other.get_secret_value())}"


@task
def nested(logins: list[Login], key: SecretBytes) -> list[Any]:
    """Ask for several."""
    print(logins[0].password.get_secret_value())
    return [login.password.get_secret_value()[::-1] for login in logins] + [key.get_secret_value().decode()[::-1]]


@task
def pay(pin: Secret[Annotated[int, Field(ge=1000)]], day: Secret[date]) -> int:
    """Ask for secrets that are no texts."""
    print(pin.get_secret_value(), day.get_secret_value())
    return pin.get_secret_value() // 600


@task
def listed(names: dict[str, str]) -> dict[str, str]:
    """Give back what was given."""
    return names


class Outspoken(BaseModel):
    """A model that serializes its secret in clear and repeats it in a computed field."""

    password: SecretStr

    @field_serializer("password")
    def written(self, password: SecretStr) -> str:
        return password.get_secret_value()

    @computed_field
    def address(self) -> str:
        return f"https://ada:{self.password.get_secret_value()}@example.com"


@task
def outspoken(
    logins: list[Outspoken],
    key: Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value)],
    keys: set[SecretStr],
) -> list[Any]:
    """Ask for what would write itself out."""
    secrets = [logins[0].password, key, *keys]
    return [secret.get_secret_value()[::-1] for secret in secrets]


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(open_backend(backend.settings, catalog_of(fetch, nested, outspoken, pay, listed)))


def parameters(backend: Backend, run_id: int) -> dict[str, Any]:
    with backend.database.read() as session:
        return session.get_one(Run, run_id).parameters


def given(backend: Backend, run_id: int) -> dict[str, Any]:
    """Return a run's parameters with the secrets in clear."""
    with backend.database.read() as session:
        run = session.get_one(Run, run_id)
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in given_parameters(backend, run).items()
    }


def sealed(page: Any, name: str = "token") -> str:
    return str(the(soup(page), f"[name='{name}._sealed']")["value"])


def test_it_is_asked_for_in_a_field_that_shows_no_letters(ada: Visitor) -> None:
    field = the(soup(ada.get("/tasks/fetch")), "#token-input")
    assert (field["type"], field["minlength"], field["maxlength"]) == ("password", "8", "40")
    assert "required" in field.attrs
    assert not field.get("value")


def test_it_is_kept_encrypted_and_shown_nowhere(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("fetch", token=TOKEN, count="2")
    assert parameters(backend, run_id) == {"token": {"$sealed": "•••"}, "count": 2, "other": None}
    for path in (f"/runs/{run_id}", "/runs", "/tasks/fetch", f"/tasks/fetch?run={run_id}"):
        page = ada.get(path)
        assert TOKEN not in page.text, path
        assert "$sealed" not in page.text, path
    assert "•••" in the(soup(ada.get(f"/runs/{run_id}")), ".definitions").text


def test_secrets_that_a_model_serialises_itself_are_encrypted_too(ada: Visitor, backend: Backend) -> None:
    given = {"logins": "0", "logins.0.password": TOKEN, "key": TOKEN, "keys": "0", "keys.0": TOKEN}
    assert TOKEN not in json.dumps(parameters(backend, ada.submit("outspoken", **given)))


def test_secrets_that_a_model_serialises_itself_reach_their_task(run_task: RunTask) -> None:
    run = run_task(outspoken, logins=[{"password": TOKEN}], key="another-one", keys=["sesame-open"])
    assert run.result == [TOKEN[::-1], "another-one"[::-1], "sesame-open"[::-1]], run.error


def test_the_task_gets_it_and_what_it_shows_is_covered(run_task: RunTask) -> None:
    logins = [{"user": "ada", "password": TOKEN}, {"user": "ben", "password": "another-one"}]
    run = run_task(nested, logins=logins, key="sesame-open")
    assert run.result == [TOKEN[::-1], "another-one"[::-1], "sesame-open"[::-1]], run.error
    assert run.output == ["•••"]


def test_a_refused_form_keeps_it_without_showing_it(ada: Visitor, backend: Backend) -> None:
    refused = ada.post("/tasks/fetch", {"token": TOKEN, "count": "many"})
    assert refused.status_code == 422
    assert TOKEN not in refused.text
    assert "required" not in the(soup(refused), "#token-input").attrs
    first = ada.submit("fetch", **{"token": "", "token._sealed": sealed(refused), "count": "2"})
    again = ada.get(f"/tasks/fetch?run={first}")
    second = ada.submit("fetch", **{"token": "", "token._sealed": sealed(again), "count": "3"})
    third = ada.submit("fetch", **{"token": "something else", "token._sealed": sealed(again)})
    tokens = [given(backend, one)["token"] for one in (first, second, third)]
    assert tokens == [TOKEN, TOKEN, "something else"]


def test_one_that_may_be_left_out_can_be_taken_out_again(ada: Visitor, backend: Backend) -> None:
    first = ada.submit("fetch", token=TOKEN, other=TOKEN)
    box = the(soup(ada.get(f"/tasks/fetch?run={first}")), "[name='other._sealed']")
    assert (box["type"], "checked" in box.attrs) == ("checkbox", True)
    second = ada.submit("fetch", token=TOKEN, other="")
    assert parameters(backend, second)["other"] is None


@pytest.mark.parametrize(
    ("token", "words"),
    [("", "Fill this in."), ("short", "Enter at least 8 characters."), ("x" * 41, "Enter at most 40 characters.")],
)
def test_what_is_wrong_with_it_is_said_at_its_field(ada: Visitor, token: str, words: str) -> None:
    refused = ada.post("/tasks/fetch", {"token": token})
    assert refused.status_code == 422
    assert words in the(soup(refused), "#field-token .field__error").text
    assert not token or f'"{token}"' not in refused.text


def test_nobody_can_use_what_was_sealed_for_another(ada: Visitor, ben: Visitor) -> None:
    of_ada = sealed(ada.post("/tasks/fetch", {"token": TOKEN, "count": "many"}))
    for token in (of_ada, "", "nonsense", "x" * 5000):
        refused = ben.post("/tasks/fetch", {"token": "", "token._sealed": token})
        assert refused.status_code == 422
        assert "Enter it again." in the(soup(refused), "#field-token .field__error").text


def test_a_run_whose_secret_no_key_opens_any_more_says_so() -> None:
    outcome = executed(catalog_of(fetch), Order("fetch", None), Received())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.final) == ("LostSecret", True)
    assert "Start a new run." in outcome.message


def test_a_task_that_has_changed_says_nothing_of_a_secret_that_does_not_fit_any_more() -> None:
    order = Order("fetch", {"token": "hunter2"}, hidden=["hunter2"])
    outcome = executed(catalog_of(fetch), order, Received())
    assert isinstance(outcome, Failure)
    assert outcome.message.startswith("The parameters are no longer valid: token: Value should have at least 8")
    assert "hunter2" not in outcome.message


def test_a_run_is_run_again_with_it(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("fetch", token=TOKEN)
    ada.post(f"/runs/{run_id}/cancel")
    assert ada.post(f"/runs/{run_id}/retry").status_code == 303
    assert given(backend, run_id)["token"] == TOKEN
    held = lease.claim(backend.database, run_id, "worker")
    assert held is not None
    lease.succeed(backend.database, held, "done")
    new = int(ada.post(f"/runs/{run_id}/retry").location.rpartition("/")[2])
    assert new != run_id
    assert given(backend, new) == given(backend, run_id)


def test_a_run_whose_secret_no_key_opens_any_more_asks_for_it_again(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("fetch", token=TOKEN, count="3")
    with backend.database.write() as session:
        session.get_one(Run, run_id).encrypted_parameters = "by another key"
    assert "•••" in the(soup(ada.get(f"/runs/{run_id}")), ".definitions").text
    again = soup(ada.get(f"/tasks/fetch?run={run_id}"))
    assert "required" in the(again, "#token-input").attrs
    assert the(again, "#count-input")["value"] == "3"
    assert not again.select("[name='token._sealed']")


def test_a_secret_of_a_type_is_entered_as_text_and_reaches_its_task(ada: Visitor, backend: Backend) -> None:
    field = the(soup(ada.get("/tasks/pay")), "#pin-input")
    assert (field["type"], field.get("min")) == ("password", None)
    refused = ada.post("/tasks/pay", {"pin": "12", "day": "2026-01-31"})
    assert "Must be 1,000 or more." in the(soup(refused), "#field-pin .field__error").text
    run_id = ada.submit("pay", pin="1234", day="2026-01-31")
    assert parameters(backend, run_id) == {"pin": {"$sealed": "•••"}, "day": {"$sealed": "•••"}}
    again = ada.get(f"/tasks/pay?run={run_id}")
    second = ada.submit("pay", **{"pin": "", "day": "", **{f"{n}._sealed": sealed(again, n) for n in ("pin", "day")}})
    assert given(backend, second) == given(backend, run_id) == {"pin": "1234", "day": "2026-01-31"}


def test_what_a_task_shows_of_a_secret_of_a_type_is_covered(run_task: RunTask) -> None:
    run = run_task(pay, pin="1234", day="2026-01-31")
    assert (run.result, run.output) == (2, ["••• •••"]), run.error


def test_a_name_that_only_looks_like_a_sealed_secret_is_one_like_any_other(run_task: RunTask) -> None:
    assert run_task(listed, names={"$sealed": "a"}).result == {"$sealed": "a"}


def test_a_sealed_secret_that_is_entered_as_a_text_is_opened_on_no_page(ada: Visitor, backend: Backend) -> None:
    token = sealed(ada.post("/tasks/fetch", {"token": TOKEN, "count": "many"}))
    run_id = ada.submit("listed", **{"names": "0", "names.0.key": "$sealed", "names.0.value": token})
    assert TOKEN not in ada.get(f"/runs/{run_id}").text
    assert TOKEN not in json.dumps(parameters(backend, run_id))


def test_a_task_that_asks_for_something_else_by_now_offers_nothing_of_a_secret() -> None:
    def changed(token: str, count: int = 3, flag: bool = False, logins: list[str] | None = None) -> None: ...

    kept = SecretStr("correct")
    values = {"token": kept, "count": kept, "flag": kept, "logins": [kept]}
    form = forms.blank(task(changed).__dict__["__task__"], values)
    assert "correct" not in repr(form.fields)
    assert form.values == {"token": "", "count": "3", "flag": False, "logins": ""}
