"""A task with files."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field

from jobs import File, FileField, task


@task(example={"texts": [File.at(Path(__file__).with_name("soup.txt"))], "most": 10})
def count_words(
    texts: Annotated[list[File], Field(min_length=1), FileField(accept=(".txt", "text/plain"), max_mb=500)],
    most: Annotated[int, Field(ge=1, le=1000)] = 20,
) -> list[dict[str, str | int]]:
    """Count the words in text files and show the most frequent ones."""
    counted = Counter[str]()
    for text in texts:
        with text.open() as stream:
            for line in stream:
                counted.update(re.findall(r"\w+", line.decode(errors="replace").lower()))
    return [{"word": word, "times": times} for word, times in counted.most_common(most)]
