"""Form uploads, streamed from the socket into the file store, hashed on the way and never whole in memory."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import gevent
from flask import Flask, abort, request
from flask_login import current_user
from gevent.threadpool import ThreadPool
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestTimeout
from werkzeug.sansio import multipart

from jobs import File
from jobs.authoring import MB, Task, kinds_in_words
from jobs.runs import QuotaExceeded, note_uploads, used_bytes
from jobs.storage import FileWriter
from jobs.values import RunFile, media_type_of
from webapp import forms
from webapp.current import backend
from webapp.forms import OwnInputs
from webapp.rendering.files import tame
from webapp.runs.own_inputs import own_inputs

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
WRITE_BYTES = 1024 * 1024
WRITES_AT_ONCE = 4
SILENT_SECONDS = 60
MOST_PARTS = 2000
MOST_FILES = 200
LARGEST_TEXTS = 1024 * 1024
# Oversized requests are read to their end, up to this multiple of the limit, so that browsers receive the error.
HEARD_OUT = 2

BROKEN_OFF = "The upload was interrupted. Try again."
SLOW = "The upload timed out: no data arrived for a minute. Try again."
TOO_LARGE = "{name} is larger than {most:,.10g} MB. Choose a smaller file."
TOO_MUCH = "The files in a form can total at most {most:,.10g} MB. Send fewer or smaller files."
TOO_MANY = f"A form can have at most {MOST_FILES} files. Send fewer."
NO_ROOM = (
    "Storage limit reached: your files can total at most {most:,.10g} MB. Uploads that no run uses are deleted after a "
    "day. For more space, contact the administrator."
)
CANNOT_KEEP = "The file could not be saved. Try again later, or contact the administrator."


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(most_bytes=most_bytes)
    app.jinja_env.filters.update(kinds_in_words=kinds_in_words)


@dataclass
class Received:
    """A posted form: its texts, including references to its files, and the messages for refused files."""

    posted: MultiDict[str, str]
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> OwnInputs:
        return own_inputs(self.refused)


def most_bytes(one: forms.Field) -> int:
    """Return the maximum size in bytes of one file in a field."""
    most = backend().settings.max_upload_mb * MB
    return min(most, one.max_bytes or most)


def receive(task: Task) -> Received:
    """Receive a task's form, store its files and record them as the user's."""
    fields = forms.fields_of(task)
    if request.mimetype != "multipart/form-data" or not forms.has_files(fields):
        return Received(MultiDict(request.form))
    receiver = Receiver(fields)
    try:
        for event in _events():
            receiver.take(event)
        return receiver.finish()
    finally:
        receiver.discard()


def example_of(task: Task) -> OwnInputs:
    """Store the files of a task's example as the user's uploads."""
    try:
        note_uploads(backend().database, current_user.id, [_stored(file) for file in task.example_files], _quota())
    except QuotaExceeded:
        words = NO_ROOM.format(most=_quota() / MB)
        return own_inputs({one.name: words for one in forms.fields_of(task) if forms.has_files([one])})
    return own_inputs()


def _stored(file: File) -> RunFile:
    with file.open() as stream:
        stored = backend().files.put(stream, _in_thread)
    return RunFile(stored.sha256, stored.size, file.name, file.media_type)


def _quota() -> int:
    return backend().settings.user_quota_mb * MB


@dataclass
class Incoming:
    """A file being uploaded. `writer` is None for a refused file, which is not stored."""

    place: str
    name: str
    most: int
    writer: FileWriter | None = None
    waiting: bytearray = field(default_factory=bytearray)
    size: int = 0


class Receiver:
    """A receiver for the parts of a form, which collects texts and writes files as they arrive."""

    def __init__(self, fields: Collection[forms.Field]) -> None:
        self._fields = fields
        with backend().database.read() as session:
            self._room = _quota() - used_bytes(session, current_user.id)
        self._most = backend().settings.max_upload_mb * MB
        self._texts = 0
        self._bytes = 0
        self._text: list[bytes] = []
        self._name = ""
        self._file: Incoming | None = None
        self._posted: list[tuple[str, str | Incoming]] = []
        self._refused: dict[str, str] = {}

    def take(self, event: multipart.Event) -> None:
        """Process the next event of the multipart decoder."""
        if isinstance(event, multipart.Field):
            self._file, self._name, self._text = None, event.name or "", []
        elif isinstance(event, multipart.File):
            self._file = self._begin(event.name or "", event.filename)
        elif isinstance(event, multipart.Data) and self._file:
            self._write(self._file, event.data)
        elif isinstance(event, multipart.Data):
            self._add_text(event)

    def finish(self) -> Received:
        """Store the received files and record them as the user's, all or none."""
        files = {id(one): stored for one in self._files() if (stored := self._keep(one))}
        try:
            if files:
                note_uploads(backend().database, current_user.id, list(files.values()), _quota())
        except QuotaExceeded:
            self._refused.update({one.place: NO_ROOM.format(most=_quota() / MB) for one in self._files()})
            files = {}
        posted: MultiDict[str, str] = MultiDict()
        for name, value in self._posted:
            if isinstance(value, str):
                posted.add(name, value)
            elif stored := files.get(id(value)):
                posted.add(name, forms.reference_to(File(stored.name, stored.size, stored.sha256, stored.media_type)))
        return Received(posted, self._refused)

    def discard(self) -> None:
        """Delete unfinished files."""
        for one in self._files():
            _drop(one)

    def _files(self) -> Iterator[Incoming]:
        return (value for _name, value in self._posted if isinstance(value, Incoming))

    def _add_text(self, event: multipart.Data) -> None:
        self._texts += len(event.data)
        if self._texts > LARGEST_TEXTS:
            abort(413)
        self._text.append(event.data)
        if not event.more_data:
            self._posted.append((self._name, b"".join(self._text).decode(errors="replace")))

    def _begin(self, place: str, name: str) -> Incoming:
        """Prepare to receive a file. Browsers send one without a name if none was chosen."""
        one, tamed = forms.file_field_at(self._fields, place), tame(name)
        incoming = Incoming(place, tamed, most_bytes(one) if one else 0)
        if one is None or not name:
            return incoming
        if sum(1 for _ in self._files()) >= MOST_FILES:
            self._refused[place] = TOO_MANY
            return incoming
        try:
            incoming.writer = backend().files.begin(_in_thread)
        except OSError:
            self._fail(incoming)
        self._posted.append((place, incoming))
        return incoming

    def _write(self, one: Incoming, data: bytes) -> None:
        if one.writer is None:
            return
        one.size += len(data)
        self._bytes += len(data)
        if words := self._problem(one):
            self._refused[one.place] = words
            self._bytes -= one.size
            return _drop(one)
        one.waiting += data
        if len(one.waiting) >= WRITE_BYTES:
            self._flush(one)

    def _problem(self, one: Incoming) -> str | None:
        if one.size > one.most:
            return TOO_LARGE.format(name=one.name, most=one.most / MB)
        if self._bytes > self._most:
            return TOO_MUCH.format(most=self._most / MB)
        return NO_ROOM.format(most=_quota() / MB) if self._bytes > self._room else None

    def _flush(self, one: Incoming) -> None:
        assert one.writer is not None
        try:
            one.writer.write(one.waiting)
        except OSError:
            self._fail(one)
        one.waiting = bytearray()

    def _keep(self, one: Incoming) -> RunFile | None:
        if one.writer:
            self._flush(one)
        if not one.writer:
            return None
        try:
            stored = one.writer.finish()
        except OSError:
            self._fail(one)
            return None
        return RunFile(stored.sha256, stored.size, one.name, media_type_of(one.name))

    def _fail(self, one: Incoming) -> None:
        log.exception("could not store an uploaded file")
        self._refused[one.place] = CANNOT_KEEP
        _drop(one)


def _events() -> Iterator[multipart.Event]:
    """Yield the parts of the request's body as they arrive."""
    settings = backend().settings
    request.max_content_length = HEARD_OUT * settings.max_upload_mb * MB + LARGEST_TEXTS
    boundary = request.mimetype_params.get("boundary", "").encode("ascii", "replace")
    decoder = multipart.MultipartDecoder(boundary, LARGEST_TEXTS, max_parts=MOST_PARTS)
    since_turn = 0
    try:
        while True:
            chunk = _next_chunk()
            decoder.receive_data(chunk or None)
            while not isinstance(event := decoder.next_event(), multipart.NeedData):
                if isinstance(event, multipart.Epilogue):
                    return
                yield event
            since_turn += len(chunk)
            if since_turn >= WRITE_BYTES:  # with a fast sender, reads never block, so yield to other greenlets
                since_turn = 0
                gevent.sleep(0)
    except ValueError:
        abort(400, description=BROKEN_OFF)


def _next_chunk() -> bytes:
    with gevent.Timeout(SILENT_SECONDS, RequestTimeout(SLOW)):
        return request.stream.read(CHUNK_BYTES)


def _drop(one: Incoming) -> None:
    if one.writer:
        one.writer.discard()
    one.writer, one.waiting = None, bytearray()


# Disk writes can block for seconds, so they run in threads to keep the event loop responsive.
def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return _pool().apply(function, arguments)


@cache
def _pool() -> ThreadPool:
    return ThreadPool(WRITES_AT_ONCE, hub=gevent.get_hub())
