"""References to files in the store, the same in parameters and in results."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from jobs.values.marks import model_in

FILE = "$file"
LONGEST_NAME = 200

Pixels = Annotated[int, Field(ge=1)]


class KeptFile(BaseModel):
    """A reference to a file in the store; for an image in a result, with its size in pixels."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    media_type: Annotated[str, Field(max_length=100)]
    width: Pixels | None = None
    height: Pixels | None = None

    def stored(self) -> dict[str, object]:
        """Return the reference as it is stored."""
        return {FILE: self.model_dump(exclude_none=True)}


def kept_file_in(value: object) -> KeptFile | None:
    """Return the file reference in a stored value, or None. Check it against the owner's files before trusting it."""
    return model_in(value, FILE, KeptFile)
