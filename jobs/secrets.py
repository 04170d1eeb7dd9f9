"""Users' secrets as a task has them, and how their values are kept out of what it shows."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jobs.context import FinalFailure

# A shorter text stands in too much that is harmless.
SHORTEST_HIDDEN = 4
HIDDEN = "•••"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


class MissingSecret(FinalFailure, KeyError):
    """A task needs a secret that its user has not entered."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Enter {name} under Account → Secrets, and run again.")

    def __str__(self) -> str:
        return str(self.args[0])


class Secrets(Mapping[str, str]):
    """What the run's owner has entered under Account → Secrets: `secrets["API_TOKEN"]`.

    One that is missing raises MissingSecret, which fails the run for good, and says where to enter it.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> str:
        try:
            return self._values[name]
        except KeyError:
            raise MissingSecret(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self)})"


class Cover:
    """Puts HIDDEN in the place of secrets' values, wherever they stand in a text.

    Of a value of several lines each line is one, since lines are shown one at a time; and a value may stand as Python
    or JSON write it, with its quotation marks and line ends escaped.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        spelled = {text for value in values.values() for text in _spellings(value) if len(text) >= SHORTEST_HIDDEN}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if spelled else None
        self._spelled = [text.encode() for text in longest_first]

    @property
    def hides(self) -> bool:
        """Whether there is anything that it looks for."""
        return self._pattern is not None

    def text(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def whole(self, data: bytes) -> bytes:
        """A text that was cut, without the beginning of a value at its end, which could not be told from others."""
        begun = (size for value in self._spelled for size in range(len(value)) if data.endswith(value[:size]))
        return data[: len(data) - max(begun, default=0)]

    def value(self, value: Any) -> Any:
        """The same for every text in a value that is plain JSON."""
        if self._pattern is None:
            return value
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {self.text(key): self.value(item) for key, item in value.items()}
        return value

    @contextmanager
    def over_logging(self) -> Iterator[None]:
        """Cover what is logged meanwhile for all who hear it, the server's own log too."""
        if self._pattern is None:
            yield
            return
        before = logging.getLogRecordFactory()
        logging.setLogRecordFactory(lambda *given, **named: self._covered(before(*given, **named)))
        try:
            yield
        finally:
            logging.setLogRecordFactory(before)

    def _covered(self, record: logging.LogRecord) -> logging.LogRecord:
        try:
            record.msg, record.args = self.text(record.getMessage()), None
        except Exception:
            record.msg, record.args = "a message that does not fit its arguments", None
        if record.exc_info:
            record.exc_text = self.text(logging.Formatter().formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        return record


def _spellings(value: str) -> Iterator[str]:
    for text in (value, value.strip(), *map(str.strip, value.splitlines())):
        yield text
        spell: Callable[[str], str]
        for spell in (repr, json.dumps, lambda plain: json.dumps(plain, ensure_ascii=False)):
            yield spell(text)[1:-1]
