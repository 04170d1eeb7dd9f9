"""The documents agree with the code."""

import re

import pytest

from tests.support import result_table
from tests.support.field_table import ANNOTATIONS, DOCUMENT, KINDS, field_of, written
from webapp.forms.fields import CHOICES, COMPOUNDS, FILES
from webapp.forms.signature import FORMATS
from webapp.forms.signature import KINDS as PLAIN
from webapp.rendering.results import SHAPES

ROOT = DOCUMENT.parents[1]
PATH = re.compile(r"\b(?:jobs|webapp|tests|static|templates|benchmarks|migrations)/[\w/.]*\w\.(?:py|html|css|js)\b")


def test_the_table_of_fields_is_up_to_date() -> None:
    document = DOCUMENT.read_text()
    assert document == written(document), "make docs writes it anew"


def test_the_table_has_every_kind_of_field() -> None:
    every = {*FORMATS.values(), *PLAIN.values(), *CHOICES, *COMPOUNDS, *FILES, "digits", "checks"} - {"pair"}
    assert {field_of(annotation).kind for annotation in ANNOTATIONS} == every == set(KINDS)


def test_the_table_of_results_is_up_to_date() -> None:
    document = DOCUMENT.read_text()
    assert document == result_table.written(document), "make docs writes it anew"


def test_the_table_has_every_kind_of_result() -> None:
    every = {*SHAPES, "text", "scalar"} - {"deep", "withheld"}
    assert {result_table.shape_of(one) for one in result_table.RESULTS} == every == set(result_table.SHAPES)


@pytest.mark.parametrize("name", ["docs/architecture.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_the_files_that_a_document_names_exist(name: str) -> None:
    named = set(PATH.findall((ROOT / name).read_text()))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
