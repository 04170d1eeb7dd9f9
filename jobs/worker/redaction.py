"""Redact secrets' values from everything that a run shows."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, AnyStr

from jobs.authoring.secrets import HIDDEN
from jobs.values.names import distinct

# A shorter text stands in too much that is harmless.
SHORTEST_HIDDEN = 4


class Redactor:
    """Puts HIDDEN in the place of secrets' values, wherever they stand.

    Of a value of several lines each line is one, since lines are shown one at a time; and a value may stand as Python
    or JSON write it, with its quotation marks and line ends escaped.
    """

    def __init__(self, values: Iterable[str]) -> None:
        spelled = {text for value in values for text in _spellings(value) if len(text) >= SHORTEST_HIDDEN}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if spelled else None
        self._spelled = longest_first
        self._encoded = [text.encode("utf-8", "surrogatepass") for text in longest_first]
        self._bytes_pattern = re.compile(b"|".join(map(re.escape, self._encoded))) if spelled else None

    def text(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def cut(self, text: str, longest: int, note: str = "") -> str:
        """Redact a text, then cut it after so many characters, with a note where that was done.

        Nothing is left at the end of the beginning of a value, which no pattern would find.
        """
        redacted = self.text(text)
        if len(redacted) <= longest:
            return redacted
        return _without_begun(redacted[:longest], self._spelled) + note

    def line(self, data: bytes, is_whole: bool = True) -> bytes:
        """Redact the bytes of a line; of one that is not whole, leave out what may be the beginning of a value."""
        if self._bytes_pattern is None:
            return data
        redacted = self._bytes_pattern.sub(HIDDEN.encode(), data)
        return redacted if is_whole else _without_begun(redacted, self._encoded)

    def value(self, value: Any) -> Any:
        """Redact every text in a value that is plain JSON."""
        if self._pattern is None:
            return value
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(item) for item in value]
            case dict():
                names, _alike = distinct([self.text(key) for key in value])
                return dict(zip(names, map(self.value, value.values()), strict=True))
        return value


def _without_begun(text: AnyStr, values: Sequence[AnyStr]) -> AnyStr:
    """Return a text without the end with which one of the values may begin."""
    sizes = (size for value in values for size in range(1, len(value)) if text.endswith(value[:size]))
    return text[: len(text) - max(sizes, default=0)]


def _spellings(value: str) -> Iterator[str]:
    for text in (value, value.strip(), *map(str.strip, value.splitlines())):
        yield text
        spell: Callable[[str], str]
        for spell in (repr, json.dumps, lambda plain: json.dumps(plain, ensure_ascii=False)):
            yield spell(text)[1:-1]
