"""Parameters as JSON: for every annotation of docs/tasks.md the same values as in the form, in the same words."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_login import login_user
from werkzeug.datastructures import MultiDict

from jobs import File
from jobs.authoring import load
from tests.support.field_table import ANNOTATIONS, task_with
from tests.support.visitor import Visitor
from webapp import forms
from webapp.accounts import users
from webapp.api import messages, parameters
from webapp.forms.fields import MOST_ROWS
from webapp.forms.messages import TOO_MANY_ROWS

HASH = {"sha256": "0" * 64}
LARGE = 2**53 + 1
# For each annotation, values that are accepted and kept as they are, and values that are refused.
VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "int": ([0, -5, LARGE], ["x", 1.5, True, [1], {}, None]),
    "Annotated[int, Field(ge=5, lt=100, multiple_of=5)]": ([5, 95], [4, 100, 7]),
    "Annotated[int, Field(ge=0, le=10**30)]": ([LARGE, 10**30], [-1, 10**30 + 1]),
    "float": ([0.1, -3, 1e300], ["x", "1e999", None]),
    "Annotated[float, Field(ge=0, le=1), Slider]": ([0, 0.25, 1], [1.5]),
    "Annotated[Decimal, Field(gt=0, decimal_places=2)]": ([0.1, "12345678901234567890.25"], [0, 0.125]),
    "bool": ([True, False], ["true", 1, None]),
    "bool | None": ([True, False, None], ["perhaps"]),
    "str": (["ä\n😀", " x "], ["", "a\x00b", ["x"]]),
    'Annotated[str, Field(max_length=40, pattern="^[a-z]+$")]': (["abc"], ["ABC", "a" * 41]),
    "str | None": (["x", None], [{}]),
    "LongText": (["one\ntwo"], [[]]),
    "Annotated[SecretStr, Field(min_length=20)]": (["s" * 20], ["short"]),
    "Secret[Annotated[int, Field(ge=1000)]]": ([1000], [999]),
    "EmailStr": (["ada@example.com"], ["ada"]),
    "HttpUrl": (["https://example.com/"], ["no address"]),
    "UUID": (["123e4567-e89b-12d3-a456-426614174000"], ["1"]),
    "Annotated[date, Field(ge=date(2026, 1, 1))]": (["2026-01-31"], ["2025-12-31", "31.1.2026"]),
    "time": (["14:30:00", "14:30:00.123456"], ["25:00"]),
    "datetime": (["2026-01-31T14:30:00Z", "2026-01-31T14:30:00.123456+05:30"], ["now"]),
    "NaiveDatetime": (["2026-01-31T14:30:00"], ["now"]),
    "timedelta": (["PT1H", "PT0.5S", "P3DT4H"], ["soon"]),
    "Size": ([1, 2], [3, "Medium"]),
    'Literal["a", "b", "c"]': (["a"], ["d", 1]),
    "Weekday": (["Mon"], ["Monday"]),
    "Country": (["Country 3"], ["Country 99"]),
    "set[Weekday]": ([[], ["Mon", "Tue"]], [["Monday"], "Mon"]),
    "list[int]": ([[], [1, LARGE]], [["x"], 1, {"0": 1}]),
    "tuple[int, str]": ([[1, "x"]], [[1], ["x", 1], [1, "x", 2]]),
    "Address": ([{"street": "Main"}], [{}, {"street": "Main", "town": "x"}, "Main"]),
    "Address | None": ([{"street": "Main"}, None], [{"town": "x"}]),
    "list[Address]": ([[{"street": "Main"}]], [[{}], [1]]),
    'Annotated[Circle | Square, Field(discriminator="kind")]': ([{"kind": "circle"}], [{"kind": "line"}, {}, 1]),
    "dict[str, float]": ([{}, {"a": 0.5, "b/c": 2}], [{"a": "x"}, [1]]),
    "File": ([], [{"$file": HASH}, {"$file": {}}, "soup.txt", None]),
    'Annotated[File, FileField(accept=(".csv", "text/plain"), max_mb=300)]': ([], [{"$file": HASH}]),
    "File | None": ([None], [{"$file": HASH}]),
    "list[File]": ([[]], [[{"$file": HASH}], {"$file": HASH}]),
    'Annotated[int, Show(unit="px", placeholder="640")]': ([640], ["640 px"]),
    'Annotated[int, Show(group="Size")]': ([1], ["x"]),
    "Annotated[int, Show(advanced=True)]": ([1], ["x"]),
}
GOOD = [(annotation, value) for annotation, (good, _bad) in VALUES.items() for value in good]
BAD = [(annotation, value) for annotation, (_good, bad) in VALUES.items() for value in bad]


TASKS = {annotation: task_with(annotation) for annotation in ANNOTATIONS}


def read(app: Flask, ada: Visitor, annotation: str, value: Any) -> parameters.Read:
    database = app.extensions["dumbwaiter"].database
    with app.test_request_context():
        login_user(users.with_email(database, ada.email))
        return parameters.read(TASKS.get(annotation) or task_with(annotation), {"it": value})


def test_every_annotation_has_values() -> None:
    assert set(VALUES) == set(ANNOTATIONS)


def test_what_a_model_takes_as_json_is_accepted_unchanged(app: Flask, ada: Visitor) -> None:
    other = []
    for annotation, value in GOOD:
        found, wanted = read(app, ada, annotation, value), load(TASKS[annotation].parameters, {"it": value})
        if found.parameters != wanted:
            other.append((annotation, value, found, wanted))
    assert not other, "\n".join(map(str, other))


def test_what_a_form_refuses_is_refused_at_its_pointer(app: Flask, ada: Visitor) -> None:
    accepted = []
    for annotation, value in BAD:
        found = read(app, ada, annotation, value)
        if found.parameters or not found.errors or any(not pointer.startswith("/it") for pointer in found.errors):
            accepted.append((annotation, value, found))
    assert not accepted, "\n".join(map(str, accepted))


@pytest.mark.parametrize(
    ("annotation", "value", "pointer"),
    [
        ("list[Address]", [{"street": "Main"}, {}], "/it/1/street"),
        ("dict[str, float]", {"a": 1, "b/c~d": "x"}, "/it/b~1c~0d"),
        ("tuple[int, str]", ["x", "y"], "/it/0"),
        ('Annotated[Circle | Square, Field(discriminator="kind")]', {"kind": "circle", "x": 1}, "/it/x"),
        ("list[int]", [1, "x"], "/it/1"),
        ("list[list[int]]", [[1], [2, "x"]], "/it/1/1"),
        ("dict[str, list[Address]]", {"a/b": [{"street": "Main"}, {}]}, "/it/a~1b/1/street"),
        ("list[tuple[int, Address]]", [[1, {"street": "Main"}], [1, {}]], "/it/1/1/street"),
        ('list[Annotated[Circle | Square, Field(discriminator="kind")]]', [{"kind": "line"}], "/it/0"),
        ("list[Annotated[SecretStr, Field(min_length=20)]]", ["s" * 20, "short"], "/it/1"),
    ],
)
def test_a_wrong_part_is_named_by_its_pointer(
    app: Flask, ada: Visitor, annotation: str, value: Any, pointer: str
) -> None:
    assert list(read(app, ada, annotation, value).errors) == [pointer]


def test_a_list_that_is_too_long_is_refused_without_reading_all_of_it(app: Flask, ada: Visitor) -> None:
    """Reading all rows of a megabyte would keep everybody else waiting for seconds."""
    assert read(app, ada, "list[int]", list(range(100_000))).errors == {"/it": TOO_MANY_ROWS.format(most=MOST_ROWS)}
    rows = forms.posted_of(forms.fields_of(TASKS["list[int]"]), {"it": list(range(100_000))})
    assert len(rows.getlist("it")) == MOST_ROWS + 1


# What people type for values that JSON writes in another way.
TYPED = {
    "2026-01-31T14:30:00Z": "2026-01-31T14:30",
    "2026-01-31T14:30:00.123456+05:30": "2026-01-31T09:00:00.123456",
    "PT1H": "1 h",
    "PT0.5S": "0.5 s",
    "P3DT4H": "3 days 4 h",
}
# What no form can express, and the API refuses in words of its own.
OWN_WORDS = {text.partition("{")[0] for name, text in vars(messages).items() if name.startswith("NO_")}
OWN_WORDS |= {messages.LENGTH.partition("{")[0], messages.UNKNOWN}


def rows(name: str, found: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    return [(name, str(n)) for n in range(len(found))] + [part for row in found for part in row]


def pairs(name: str, value: dict[str, Any]) -> list[tuple[str, str]]:
    each = enumerate(value.items())
    return rows(name, [[(f"{name}.{n}.key", key), (f"{name}.{n}.value", str(one))] for n, (key, one) in each])


def parts(name: str, value: Any) -> list[tuple[str, str]]:
    named = value.items() if isinstance(value, dict) else enumerate(value)
    return [(f"{name}.{key}", str(one)) for key, one in named]


def reference(name: str, value: Any) -> list[tuple[str, str]]:
    return [(name, forms.reference_to(File("soup.txt", 4, value["$file"]["sha256"], "text/plain")))]


POSTED: dict[str, Callable[[str, Any], list[tuple[str, str]]]] = {
    "bool": lambda name, value: [(name, "true")] if value else [],
    "bool | None": lambda name, value: [(name, str(value).lower())],
    "set[Weekday]": lambda name, value: [(name, one) for one in value],
    "list[File]": lambda name, value: [part for one in value for part in reference(name, one)],
    "list[int]": lambda name, value: rows(name, [typed("int", one, f"{name}.{n}") for n, one in enumerate(value)]),
    "list[Address]": lambda name, value: rows(name, [parts(f"{name}.{n}", one) for n, one in enumerate(value)]),
    "dict[str, float]": pairs,
    "tuple[int, str]": parts,
    "Address": parts,
    "Address | None": lambda name, value: [(name, "given"), *parts(name, value)],
    'Annotated[Circle | Square, Field(discriminator="kind")]': lambda name, value: [(name, value["kind"])],
    **{annotation: reference for annotation in ANNOTATIONS if "File" in annotation and "list" not in annotation},
}


def typed(annotation: str, value: Any, name: str = "it") -> list[tuple[str, str]]:
    """Return what a browser posts for a value, written down here once more so that it owes nothing to the API."""
    if value is None:
        return [(name, "")]
    if annotation in POSTED:
        return POSTED[annotation](name, value)
    return [(name, TYPED.get(str(value), str(value)))]


def test_form_and_api_accept_and_refuse_the_same_values_in_the_same_words(app: Flask, ada: Visitor) -> None:
    other, compared = [], set()
    for annotation, value in GOOD + BAD:
        api = read(app, ada, annotation, value)
        if any(text.startswith(tuple(OWN_WORDS)) for text in api.errors.values()):
            continue
        compared.add(annotation)
        parameters_of_form, form = forms.read(TASKS[annotation], MultiDict(typed(annotation, value)))
        words = list(form.errors.values())
        if (parameters_of_form, words) != (api.parameters, list(api.errors.values())):
            other.append((annotation, value, api, parameters_of_form, words))
    assert not other, "\n".join(map(str, other))
    assert compared == set(ANNOTATIONS)
