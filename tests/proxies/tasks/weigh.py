"""A task with a file of any size, which it does not read."""

from typing import Annotated

from jobs import File, FileField, task


@task
def weigh(file: Annotated[File, FileField(max_mb=1000)]) -> str:
    """Return the size of a file in bytes."""
    return f"{file.size:,} bytes"
