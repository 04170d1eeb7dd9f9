"""A signature, with what its form sends and its task gets, or the words with which it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

IMPORTS = """
import fractions
import ipaddress
import pathlib
import re
from typing import *
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, MutableSequence, Sequence, Set
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

from pydantic import *
from pydantic import Strict as StrictField
from pydantic.networks import *
from typing_extensions import LiteralString, Never, ReadOnly, TypedDict

from jobs import *
from tests.signatures.models import *
from tests.signatures.types import *
"""
TASK = '''{first}{imports}

@task
def {name}({takes}) -> str:
    """Return the representation of the parameter."""
    return repr(it)
'''


@dataclass(frozen=True)
class Case:
    """The parameter `it`, what replaces parts of its untouched form, and how the task says the parameter."""

    takes: str
    gets: str = ""
    sends: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    refused: str = ""
    first: str = ""  # the file's first line

    def file(self, name: str) -> str:
        """Return a task file with this signature."""
        return TASK.format(first=self.first, imports=IMPORTS, name=name, takes=self.takes)


def sent(takes: str, text: str, gets: str, **more: str | Sequence[str]) -> Case:
    """Return a case of one field with a text in it."""
    return Case(f"it: {takes}", gets, {"it": text, **more})


def refused(takes: str, words: str, first: str = "") -> Case:
    """Return a case that is refused at start with these words."""
    return Case(takes, refused=words, first=first)
