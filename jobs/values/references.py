"""Find the references to the file store in a stored value."""

from collections.abc import Iterator

from jobs.values.images import Picture, picture_in
from jobs.values.kept_file import KeptFile, kept_file_in


def references_in(value: object) -> Iterator[Picture | KeptFile]:
    """Yield every part of a stored value that has the form of a file reference, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if found := picture_in(one) or kept_file_in(one):
            yield found
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
