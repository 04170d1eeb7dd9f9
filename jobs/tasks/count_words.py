"""Count the words in text files."""

import codecs
import heapq
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

from pydantic import Field

from jobs import File, FileField, Progress, Workspace, task

EXAMPLES = Path(__file__).with_name("examples")
CHUNK_BYTES = 1024 * 1024
LONGEST_WORD = 200  # letters; what is longer is counted as several words
MOST_IN_MEMORY = 300_000  # different words
WORD = re.compile(rf"[^\W\d_]{{1,{LONGEST_WORD}}}")
UNFINISHED = re.compile(rf"[^\W\d_]{{1,{LONGEST_WORD}}}\Z")


@task(
    group="Texts",
    tags=["txt", "frequency"],
    icon="chart",
    memory=500,
    example={"texts": [File.at(EXAMPLES / "soup.txt"), File.at(EXAMPLES / "bread.txt")], "most": 10},
)
def count_words(
    texts: Annotated[
        list[File],
        Field(min_length=1, description="Plain text in UTF-8."),
        FileField(accept=(".txt", ".md", "text/plain"), max_mb=500),
    ],
    most: Annotated[int, Field(ge=1, le=1000, title="Number of words")] = 20,
    *,
    workspace: Workspace,
    progress: Progress,
) -> list[dict[str, str | int]]:
    """Count the words in text files and show the most frequent ones."""
    counted = Counter[str]()
    runs: list[Path] = []
    for text in _pieces(texts, progress):
        counted.update(WORD.findall(text.lower()))
        if len(counted) > MOST_IN_MEMORY:
            runs.append(_written(counted, workspace / f"words-{len(runs)}"))
            counted.clear()
    totals = _merged([*map(_read, runs), iter(sorted(counted.items()))])
    frequent = heapq.nsmallest(most, totals, key=lambda pair: (-pair[1], pair[0]))
    return [{"word": word, "times": times} for word, times in frequent]


def _pieces(files: list[File], progress: Progress) -> Iterator[str]:
    """Yield the texts in pieces that end between words, however long the lines are."""
    size, done = sum(file.size for file in files) or 1, 0
    for file in files:
        decoder, start = codecs.getincrementaldecoder("utf-8")(errors="replace"), ""
        with file.open() as stream:
            while chunk := stream.read(CHUNK_BYTES):
                part = start + decoder.decode(chunk)
                unfinished = UNFINISHED.search(part, max(0, len(part) - LONGEST_WORD))
                start = unfinished[0] if unfinished and len(unfinished[0]) < LONGEST_WORD else ""
                yield part[: len(part) - len(start)]
                done += len(chunk)
                progress(done / size, file.name)
        yield start + decoder.decode(b"", final=True)


def _written(counted: Counter[str], path: Path) -> Path:
    """Write counts to a file, sorted by word."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{word} {times}\n" for word, times in sorted(counted.items()))
    return path


def _read(path: Path) -> Iterator[tuple[str, int]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            word, _, times = line.rpartition(" ")
            yield word, int(times)


def _merged(runs: list[Iterator[tuple[str, int]]]) -> Iterator[tuple[str, int]]:
    """Yield each word of sorted runs once, with its total."""
    for word, pairs in groupby(heapq.merge(*runs), key=lambda pair: pair[0]):
        yield word, sum(times for _word, times in pairs)
