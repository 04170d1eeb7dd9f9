"""count_words: what it counts, over all files together."""

from pathlib import Path

from jobs import File, Progress
from jobs.tasks.count_words import count_words


def test_the_most_frequent_words_of_all_texts_come_first(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("Soup and bread. Soup!\nÄpfel 3 x_y\n")
    second.write_bytes(b"soup and \xff\n")
    result = count_words([File.at(first), File.at(second)], 2, progress=Progress())
    assert result == [{"word": "soup", "times": 3}, {"word": "and", "times": 2}]


def test_an_empty_text_has_no_words(tmp_path: Path) -> None:
    empty = tmp_path / "a.txt"
    empty.touch()
    assert count_words([File.at(empty)], progress=Progress()) == []
