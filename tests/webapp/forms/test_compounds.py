"""Fields with parts: what each is posted under, the rows that come and go, and where an error stands."""

from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel
from werkzeug.datastructures import MultiDict

from jobs.authoring.task import Task
from tests.support.gallery import compounds
from tests.webapp.forms.test_scalars import of
from webapp import forms

TASK: Task = compounds.__dict__["__task__"]
GOOD: dict[str, Any] = {
    "sender.street": "Main Street 1",
    "sender.zip_code": "12345",
    "sender.notes": "",
    "numbers": ["0", "7"],
    "numbers.0": "3",
    "numbers.7": "4",
    "people": "2",
    "people.2.name": "Ada",
    "people.2.phones": "0",
    "people.2.phones.0": "+49 30",
    "size.0": "3",
    "size.1": "4",
    "shape": "circle",
    "shape.radius": "2.5",
    "during.first": "2026-01-01",
    "during.last": "2026-01-02",
    "labels": ["0", "1"],
    "labels.0.key": "a",
    "labels.0.value": "1",
    "labels.1.key": "b",
    "labels.1.value": "2",
}
RECTANGLE = {"other_shape": "rectangle", "other_shape.width": "1", "other_shape.height": "1"}
VALUES = {
    "sender": {"street": "Main Street 1", "zip_code": "12345", "notes": ""},
    "numbers": [3, 4],
    "people": [{"name": "Ada", "phones": ["+49 30"]}],
    "size": [3, 4],
    "shape": {"kind": "circle", "radius": 2.5},
    "during": {"first": "2026-01-01", "last": "2026-01-02"},
    "labels": {"a": 1, "b": 2},
    "receiver": None,
    "other_shape": None,
    "points": [],
    "tags": None,
}


def read(posted: dict[str, Any], task: Task = TASK) -> tuple[BaseModel | None, forms.Form]:
    return forms.read(task, MultiDict(posted))


def found(form: forms.Form, name: str) -> forms.BoundField:
    bound = form.find(name)
    assert bound is not None, f"there is no {name}"
    return bound


def posted_by(form: forms.Form) -> MultiDict[str, str]:
    """Return the values that a browser submits for a form as displayed."""
    posted: MultiDict[str, str] = MultiDict()
    for bound in (inside for top in form.fields for inside in top.all()):
        name, kind, value = bound.field.name, bound.field.kind, bound.value
        if kind in ("rows", "pairs"):
            posted.setlist(name, [row.field.own_name for row in bound.children.values()])
        elif kind not in ("group", "tuple", "pair") and value is not False:
            posted.add(name, "true" if value is True else value)
    return posted


def test_parts_become_the_values_and_survive_the_database() -> None:
    parameters, form = read(GOOD)
    assert form.errors == {}
    assert parameters is not None
    assert parameters.model_dump(mode="json") == VALUES
    assert TASK.parameters.model_validate(VALUES) == parameters


def test_an_earlier_runs_parameters_fill_the_form_again() -> None:
    values = VALUES | {
        "receiver": {"street": "There", "zip_code": "54321", "notes": "x"},
        "other_shape": {"kind": "rectangle", "width": 1.0, "height": 2.0},
        "points": [1.5, 2.5],
        "tags": ["one"],
    }
    parameters, form = forms.read(TASK, posted_by(forms.blank(TASK, values)))
    assert form.errors == {}
    assert parameters is not None
    assert parameters.model_dump(mode="json") == values


def test_a_new_form_has_the_rows_it_must_have_and_the_defaults() -> None:
    form = forms.blank(TASK, {})
    rows = {name: len(found(form, name).children) for name in ("numbers", "people", "points", "labels")}
    assert rows == {"numbers": 1, "people": 0, "points": 1, "labels": 0}
    assert form.find("shape.radius") is None, "nothing is chosen yet"


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({"sender.zip_code": "x"}, "sender.zip_code", "This doesn't match the expected format."),
        ({"numbers.7": "-1"}, "numbers.7", "Must be 0 or more."),
        ({"numbers.7": "x"}, "numbers.7", "Enter a whole number."),
        ({"numbers": []}, "numbers", "At least 1 required."),
        ({"numbers": list("01234"), **{f"numbers.{n}": "1" for n in range(5)}}, "numbers", "At most 4 allowed."),
        ({"people.2.phones.0": "x"}, "people.2.phones.0", "This doesn't match the expected format."),
        ({"people.2.name": ""}, "people.2.name", "Fill this in."),
        ({"size.1": "x"}, "size.1", "Enter a whole number."),
        ({"shape": ""}, "shape", "Choose one of these."),
        ({"shape.radius": "0"}, "shape.radius", "Must be greater than 0."),
        (RECTANGLE | {"other_shape.height": "0"}, "other_shape.height", "Must be greater than 0."),
        (
            {"receiver": "given", "receiver.street": "x", "receiver.zip_code": "1"},
            "receiver.zip_code",
            "This doesn't match",
        ),
        ({"during.last": "2025-12-31"}, "during", "The last day must not be before the first."),
        ({"labels.1.key": "a"}, "labels.1.key", "This is already in the list. Enter a different one."),
        ({"labels.1.key": ""}, "labels.1.key", "Fill this in."),
        ({"labels.1.value": "0"}, "labels.1.value", "Must be 1 or more."),
        ({"labels.1.value": ""}, "labels.1.value", "Fill this in."),
    ],
)
def test_an_error_stands_at_its_part_and_the_values_are_kept(changed: dict[str, Any], name: str, words: str) -> None:
    parameters, form = read(GOOD | changed)
    assert parameters is None
    assert list(form.errors) == [name]
    assert form.errors[name].startswith(words)
    assert form.focus == name
    again, same = forms.read(TASK, posted_by(form))
    assert (again, dict(same.errors)) == (None, dict(form.errors)), "what is shown again is what was sent"


def test_a_row_is_added_where_its_button_is() -> None:
    form = forms.change(TASK, MultiDict(GOOD | {forms.CHANGE: "add people.2.phones", "sender.street": ""}))
    phones = found(form, "people.2.phones")
    assert [row.field.name for row in phones.children.values()] == ["people.2.phones.0", "people.2.phones.1"]
    assert (form.focus, form.errors) == ("people.2.phones.1", {})
    assert found(form, "sender.street").value == ""


def test_a_new_row_has_its_defaults_and_is_entered_at_its_first_field() -> None:
    class Part(BaseModel):
        amount: int = 3

    task = of(list[Part])
    form = forms.change(task, MultiDict({forms.CHANGE: "add it"}))
    assert found(form, "it.0.amount").value == "3"
    assert form.focus == "it.0.amount"


def test_a_row_that_is_removed_renames_none() -> None:
    form = forms.change(TASK, MultiDict(GOOD | {forms.CHANGE: "remove numbers.0"}))
    numbers = found(form, "numbers")
    assert [(row.field.name, row.value) for row in numbers.children.values()] == [("numbers.7", "4")]
    assert form.focus == "numbers"


@pytest.mark.parametrize("asked", ["add numbers", "remove numbers.7", "show"])
def test_what_is_called_wrong_stays_so_while_the_form_changes(asked: str) -> None:
    wrong = {"sender.street": "", "sender.zip_code": "x", "numbers.0": "-1", "numbers.7": "-1"}
    touched = {forms.TOUCHED: ["sender.zip_code", "numbers.0", "nothing"]}
    form = forms.change(TASK, MultiDict(GOOD | wrong | touched | {forms.CHANGE: asked}))
    assert dict(form.errors) == {
        "sender.zip_code": "This doesn't match the expected format.",
        "numbers.0": "Must be 0 or more.",
    }
    assert form.touched_names == ["numbers.0", "sender.zip_code"]
    assert form.focus not in form.errors


def test_what_was_chosen_shows_its_own_fields() -> None:
    form = forms.change(TASK, MultiDict(GOOD | {forms.CHANGE: "show", "shape": "rectangle", "receiver": "given"}))
    assert (form.find("shape.radius"), form.errors) == (None, {})
    assert form.find("shape.height")
    assert form.find("receiver.street")


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "add",
        "add nothing",
        "add sender",
        "remove",
        "remove numbers",
        "remove numbers.99",
        "remove .",
        "drop people.2",
    ],
)
def test_a_button_that_is_none_of_ours_changes_nothing(asked: str) -> None:
    form = forms.change(TASK, MultiDict(GOOD | {forms.CHANGE: asked}))
    assert posted_by(form).to_dict(flat=False) == posted_by(read(GOOD)[1]).to_dict(flat=False)


@pytest.mark.parametrize(
    "hostile",
    [
        {"numbers": [str(n) for n in range(5000)]},
        {"people": [str(n) for n in range(5000)]},
        {"people": ["2"], "people.2.phones": [str(n) for n in range(5000)]},
        {"labels": [str(n) for n in range(5000)]},
    ],
)
def test_a_form_shows_no_more_rows_than_a_page_can(hostile: dict[str, Any]) -> None:
    _parameters, form = read(GOOD | hostile)
    limited = [name for name, words in form.errors.items() if words.startswith("A form can have at most 200 rows")]
    assert set(hostile) & set(limited)
    assert sum(1 for top in form.fields for _inside in top.all()) < 200 * 5


def test_a_row_too_many_is_not_added_and_none_is_lost() -> None:
    full = {"numbers": [str(n) for n in range(196)]}  # beside them one person with one telephone, and two labels
    form = forms.change(TASK, MultiDict(GOOD | full | {forms.CHANGE: "add numbers"}))
    assert form.errors == {"numbers": "A form can have at most 200 rows. Remove some."}
    assert [len(found(form, name).children) for name in ("numbers", "labels")] == [196, 2]


def test_a_model_that_is_not_there_cannot_be_chosen() -> None:
    _parameters, form = read(GOOD | {"shape": "blob"})
    assert form.errors == {"shape": "Choose one of these."}


def test_an_earlier_run_with_more_rows_than_a_form_has_says_so() -> None:
    form = forms.blank(TASK, VALUES | {"points": [0.5] * 300})
    assert form.errors == {"points": "A form can have at most 200 rows. Remove some."}


@pytest.mark.parametrize("numbers", ["x", "-1", "٣", "1.5", "9" * 50, "", "0/../1"])
def test_a_row_that_no_form_has_is_passed_over(numbers: str) -> None:
    parameters, _form = read(GOOD | {"numbers": ["0", numbers]})
    assert parameters is not None
    assert parameters.model_dump()["numbers"] == [3]


@pytest.mark.parametrize("value", ["text", 7, ["a"], {"kind": "gone"}, {"x": []}, True, [{"key": 1}], None])
def test_parameters_of_another_shape_still_open_the_form(value: Any) -> None:
    form = forms.blank(TASK, dict.fromkeys(VALUES, value))
    assert {bound.field.name for bound in form.fields} == set(VALUES)


def test_a_models_rule_names_the_model() -> None:
    def odd(values: list[int]) -> list[int]:
        if sum(values) % 2 == 0:
            raise ValueError("The sum must be odd.")
        return values

    task = of(Annotated[list[int], AfterValidator(odd)])
    _parameters, form = read({"it": ["0"], "it.0": "2"}, task)
    assert form.errors == {"it": "The sum must be odd."}


def test_keys_may_be_other_than_texts() -> None:
    task = of(dict[date, float])
    posted = {"it": ["0", "1"], "it.0.key": "2026-01-01", "it.0.value": "1", "it.1.key": "x", "it.1.value": "2"}
    _parameters, form = read(posted, task)
    assert form.errors == {"it.1.key": "Enter a date, such as 2026-01-31."}
    parameters, _form = read(posted | {"it.1.key": "2026-01-02"}, task)
    assert parameters is not None
    assert task.parameters.model_validate(parameters.model_dump(mode="json")) == parameters


def test_of_two_rows_with_one_key_the_wrong_one_is_named() -> None:
    _parameters, form = read(GOOD | {"labels.1.key": "a", "labels.1.value": "0"})
    assert set(form.errors) == {"labels.1.key", "labels.1.value"}


def test_what_is_chosen_only_now_comes_with_its_defaults() -> None:
    chosen = GOOD | {"shape": "rectangle", "shape._shown": "circle", "shape.height": "2"}
    assert found(forms.change(TASK, MultiDict(chosen)), "shape.width").value == "1.0"
    parameters, _form = read(chosen)
    assert parameters is not None, "who does not look at the fields first has the defaults too"
    emptied = chosen | {"shape._shown": "rectangle", "shape.width": ""}
    assert read(emptied)[1].errors == {"shape.width": "Fill this in."}
