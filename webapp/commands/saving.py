"""The --save option, which writes the images and files in a terminal run's result; all others are discarded."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import click

from jobs.storage import FileStore
from jobs.values import kept_file_in, picture_in
from webapp.runs import filters

SAVE = click.Option(
    ["--save", "save_to"],
    type=click.File("wb", lazy=True),
    multiple=True,
    help="Save the result's image or file here; repeat for several, in order.",
)


def save(result: Any, files: FileStore, targets: Sequence[BinaryIO]) -> bool:
    """Write the images and files of a result to the targets, and report those without one.

    Return whether the result contains anything else to show.
    """
    found = list(_files_in(result))
    for number, (sha256, what) in enumerate(found):
        if number >= len(targets):
            click.echo(f"{what}. Use --save FILE to save it.", err=True)
            continue
        with files.open(sha256) as stream:
            shutil.copyfileobj(stream, targets[number])
    if len(targets) > len(found):
        click.echo(f"Too many --save options: the result has {len(found) or 'no'} images and files.", err=True)
    return not (picture_in(result) or kept_file_in(result))


def _files_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the hash and a description of each image and file."""
    if picture := picture_in(value):
        yield picture.sha256, f"An image of {picture.width} × {picture.height} pixels"
    elif file := kept_file_in(value):
        yield file.sha256, f"A file of {filters.size(file.size)}, {file.name}"
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _files_in(part)
