"""The images and files of a result that a run on the terminal has made: kept where it is said, for nothing else is."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import click

from jobs.storage import FileStore
from jobs.values import download_in, picture_in
from webapp.runs import filters

SAVE = click.Option(
    ["--save", "save_to"],
    type=click.File("wb", lazy=True),
    multiple=True,
    help="Where to keep the result's image or file; of several in their order, once for each.",
)


def save(result: Any, files: FileStore, targets: Sequence[BinaryIO]) -> bool:
    """Keep the images and files of a result, and say which are not; whether there is more in it to show."""
    found = list(_files_in(result))
    for number, (sha256, what) in enumerate(found):
        if number >= len(targets):
            click.echo(f"{what}; --save FILE keeps it.", err=True)
            continue
        with files.open(sha256) as stream:
            shutil.copyfileobj(stream, targets[number])
    if len(targets) > len(found):
        click.echo(f"--save: the result has {len(found) or 'no'} images and files.", err=True)
    return not (picture_in(result) or download_in(result))


def _files_in(value: Any) -> Iterator[tuple[str, str]]:
    """The hash of each, and what it is."""
    if picture := picture_in(value):
        yield picture.sha256, f"An image of {picture.width} × {picture.height} pixels"
    elif file := download_in(value):
        yield file.sha256, f"A file of {filters.size(file.size)}, {file.name}"
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _files_in(part)
