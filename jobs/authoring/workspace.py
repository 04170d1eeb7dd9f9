"""The context type of a run's private folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True)
class Private:
    """A folder for this attempt alone, a `Path`: empty at first, private, and removed when the attempt ends."""


Workspace = Annotated[Path, Private()]
