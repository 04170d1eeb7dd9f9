"""The context type for a run's private folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True)
class Private:
    """A private folder for this attempt, a `Path`: empty at the start, and deleted when the attempt ends."""


Workspace = Annotated[Path, Private()]
