import pytest

from jobs.tasks.reverse_text import reverse_text


@pytest.mark.parametrize(
    ("text", "backwards"),
    [
        ("abc", "cba"),
        ("a\nb", "b\na"),
        ("cafe\u0301!", "!e\u0301fac"),  # an accent stays on its letter
        ("ab👩‍👩‍👧c", "c👩‍👩‍👧ba"),  # a family is one character to whoever reads it
        ("🇨🇭🇫🇷", "🇫🇷🇨🇭"),
        ("👍🏽x", "x👍🏽"),
        ("한국어", "어국한"),
    ],
)
def test_what_people_see_as_one_character_stays_whole(text: str, backwards: str) -> None:
    assert reverse_text(text) == backwards
