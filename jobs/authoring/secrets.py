"""User secrets, as a task receives them."""

import re
from collections.abc import Iterator, Mapping

from jobs.authoring.context import FinalFailure

HIDDEN = "•••"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


class MissingSecret(FinalFailure, KeyError):
    """A task needs a secret that its user has not entered."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Enter the secret {name} in your account, then run the task again.")

    def __str__(self) -> str:
        return str(self.args[0])


class Secrets(Mapping[str, str]):
    """The secrets that the run's owner has entered: `secrets["API_TOKEN"]`.

    A missing name raises MissingSecret, which fails the run without a retry and says where to enter the secret.
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
