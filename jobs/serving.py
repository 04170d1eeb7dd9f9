"""Serves a task's values: its images become files, alone and as parts of lists, tuples and dicts."""

from collections.abc import Callable
from typing import Any

from jobs.pictures import Darkroom, Tile
from jobs.storable import ResultError


class Kitchen:
    """What a task's partial results and its result pass through before they are kept as JSON."""

    def __init__(self, darkroom: Darkroom) -> None:
        self._darkroom = darkroom

    def partial(self, value: Any) -> Any:
        """What is kept of a partial result. Raises ResultError for what cannot be kept."""
        return self._darkroom.partial(value) if isinstance(value, Tile) else _each(value, self._darkroom.partial)

    def result(self, value: Any) -> Any:
        """What is kept of a result. Raises ResultError for what cannot be kept, and for a tile."""
        return _each(value, self._darkroom.result)


def _each(value: Any, serve: Callable[[Any], Any], within: bool = False) -> Any:
    """A value with its parts served; what refers to itself is left to whoever writes it as JSON, who says so."""
    if within and isinstance(value, Tile):
        raise ResultError("A tile is a partial result of its own: emit it alone.")
    try:
        if isinstance(value, list | tuple):
            return [_each(one, serve, within=True) for one in value]
        if isinstance(value, dict):
            return {name: _each(one, serve, within=True) for name, one in value.items()}
    except RecursionError:
        return value
    return serve(value)
