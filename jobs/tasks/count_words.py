"""Count the words in text files."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field

from jobs import File, FileField, Progress, task

EXAMPLES = Path(__file__).with_name("examples")
WORD = re.compile(r"[^\W\d_]+")


@task(example={"texts": [File.at(EXAMPLES / "soup.txt"), File.at(EXAMPLES / "bread.txt")], "most": 10})
def count_words(
    texts: Annotated[
        list[File],
        Field(min_length=1, description="Plain text in UTF-8."),
        FileField(accept=(".txt", ".md", "text/plain"), max_mb=500),
    ],
    most: Annotated[int, Field(ge=1, le=1000, title="Number of words")] = 20,
    *,
    progress: Progress,
) -> list[dict[str, str | int]]:
    """Count the words in text files and show the most frequent ones."""
    counted = Counter[str]()
    for number, text in enumerate(texts):
        with text.open() as stream:
            for line in stream:
                counted.update(WORD.findall(line.decode(errors="replace").lower()))
        progress((number + 1) / len(texts), text.name)
    return [{"word": word, "times": times} for word, times in counted.most_common(most)]
