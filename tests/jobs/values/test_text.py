"""Text for readers."""

import pytest

from jobs.values.text import label_of


@pytest.mark.parametrize(
    ("name", "label"), [("start_date", "Start date"), ("_hidden_", "Hidden"), ("x", "X"), ("URL", "Url"), ("", "")]
)
def test_a_name_from_python_code_becomes_a_label(name: str, label: str) -> None:
    assert label_of(name) == label
