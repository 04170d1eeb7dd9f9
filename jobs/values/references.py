"""What a kept value refers to in the file store, wherever it stands in it."""

from collections.abc import Iterator

from jobs.values.downloads import KeptFile, download_in
from jobs.values.images import Picture, picture_in


def references_in(value: object) -> Iterator[Picture | KeptFile]:
    """Everything in a kept value that has the form of a reference."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if found := picture_in(one) or download_in(one):
            yield found
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
