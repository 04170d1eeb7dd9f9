"""count_words: what it counts, over all files together, in little memory."""

import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from jobs import File, Progress
from jobs.tasks import count_words as module
from jobs.tasks.count_words import count_words


def counted(folder: Path, *contents: bytes, most: int = 20) -> list[tuple[object, object]]:
    files = []
    for number, content in enumerate(contents):
        path = folder / f"{number}.txt"
        path.write_bytes(content)
        files.append(File.at(path))
    return [(row["word"], row["times"]) for row in count_words(files, most, workspace=folder, progress=Progress())]


def test_the_most_frequent_words_of_all_texts_come_first(tmp_path: Path) -> None:
    first = "Soup and bread. Soup!\nÄpfel 3 x_y\n".encode()
    assert counted(tmp_path, first, b"soup and \xff\n", most=2) == [("soup", 3), ("and", 2)]


def test_an_empty_text_has_no_words(tmp_path: Path) -> None:
    assert counted(tmp_path, b"", b"12 _ !\n") == []


def test_words_are_whole_wherever_a_piece_of_the_text_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Übermäßig ΟΔΟΣ straße 東京 " * 3 + "end"
    expected = Counter(text.lower().split())
    for size in range(1, 40):
        monkeypatch.setattr(module, "CHUNK_BYTES", size)
        assert dict(counted(tmp_path, text.encode(), b"\xc3")) == expected, size


@pytest.mark.parametrize("text", [b"a" * 1_000_000, b"soup " * 200_000, "ü ".encode() * 300_000])
def test_a_line_of_any_length_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 10_000)
    path = tmp_path / "line.txt"
    path.write_bytes(text)
    tracemalloc.start()
    try:
        assert count_words([File.at(path)], workspace=tmp_path, progress=Progress())
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000


def test_more_different_words_than_memory_are_counted_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 10)
    monkeypatch.setattr(module, "CHUNK_BYTES", 64)
    letters = "abcdefghijklmnopqrst"
    words = [one + other for one in letters for other in letters] + ["soup"] * 3 + ["ab"] * 2
    assert counted(tmp_path, " ".join(words).encode(), most=3) == [("ab", 3), ("soup", 3), ("aa", 1)]
    assert len(list(tmp_path.glob("words-*"))) > 10
