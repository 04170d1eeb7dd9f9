"""Form uploads, streamed from the socket into the file store, hashed on the way and never whole in memory."""

import logging
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import gevent
from flask import Flask, abort, request
from flask_login import current_user
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.sansio.multipart import Data, Epilogue, Field, MultipartDecoder, NeedData
from werkzeug.sansio.multipart import File as FilePart

from jobs import File
from jobs.authoring import MB, Task, kinds_in_words
from jobs.runs import RENEWED_SECONDS, NotKept, QuotaExceeded, caps, note_uploads, release, renew, reserve
from jobs.storage import FileWriter
from jobs.values import RunFile, media_type_of
from webapp import forms
from webapp.current import backend
from webapp.forms import OwnInputs
from webapp.rendering.files import safe_filename
from webapp.runs import messages
from webapp.runs.own_inputs import own_inputs
from webapp.threads import WRITING

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
YIELD_BYTES = 1024 * 1024
MOST_PARTS = 2000
MOST_FILES = 200
LARGEST_TEXTS = 1024 * 1024
FOREIGN = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8
# Oversized requests are read to their end, up to this multiple of the limit, so that browsers receive the error.
HEARD_OUT = 2


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(most_bytes=most_bytes)
    app.jinja_env.filters.update(kinds_in_words=kinds_in_words)


@dataclass
class Received:
    """A posted form: its texts, including references to its files, and the messages for refused files.

    `unknown` has the names of files for which there is no field.
    """

    posted: MultiDict[str, str]
    refused: dict[str, str] = field(default_factory=dict)
    unknown: Collection[str] = ()

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
        return Received(MultiDict(request.form), unknown=request.files.keys())
    receiver = Receiver(fields)
    try:
        return receiver.receive()
    finally:
        receiver.discard()


def receive_one(name: str) -> RunFile | str:
    """Store the request's body as a file of the user's, or return a message that says why not."""
    receiver = Receiver(())
    try:
        return receiver.receive_file(name)
    finally:
        receiver.discard()


def example_of(task: Task) -> OwnInputs:
    """Store the files of a task's example as the user's uploads."""
    if words := _note([_stored(file) for file in task.example_files]):
        return own_inputs({one.name: words for one in forms.fields_of(task) if forms.has_files([one])})
    return own_inputs()


def _stored(file: File) -> RunFile:
    with file.open() as stream:
        stored = backend().files.put(stream, WRITING.call)
    return RunFile(stored.sha256, stored.size, file.name, file.media_type)


def _quota() -> int:
    return caps.quota_bytes(backend().database, backend().settings, current_user.id)


class Incoming:
    """A file being uploaded. Without a writer, what arrives is dropped."""

    def __init__(self, place: str, name: str, most: int) -> None:
        self.place, self.name, self.most = place, name, most
        self.writer: FileWriter | None = None
        self.size = 0

    def drop(self) -> None:
        if self.writer:
            self.writer.discard()
        self.writer = None


class Decoder(MultipartDecoder):
    """A decoder of forms that takes file names in any encoding, as some programs send them."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        text = FOREIGN.sub(_as_windows_shows, data.decode(errors="surrogateescape"))
        return super()._parse_headers(text.encode())


def _as_windows_shows(foreign: re.Match[str]) -> str:
    return bytes([ord(foreign[0]) - 0xDC00]).decode("cp1252", "replace")


class Receiver:
    """Receives the request's form and stores its files as they arrive."""

    def __init__(self, fields: Collection[forms.Field]) -> None:
        self._fields = fields
        self._most = backend().settings.max_upload_mb * MB
        coming = self._most if request.content_length is None else min(request.content_length, self._most)
        self._space = reserve(backend().database, current_user.id, coming, _quota())
        self._renew_at = time.monotonic() + RENEWED_SECONDS
        self._kept = 0
        self._files: list[Incoming] = []
        self._refused: dict[str, str] = {}
        self._unknown: list[str] = []
        self.file_bytes = 0

    def receive(self) -> Received:
        """Receive the form, store its files and record them as the user's, all or none."""
        request.max_content_length = HEARD_OUT * self._most + LARGEST_TEXTS
        boundary = request.mimetype_params.get("boundary", "").encode("ascii", "replace")
        try:
            posted = self._posted(Decoder(boundary, LARGEST_TEXTS, max_parts=MOST_PARTS))
        except ValueError:
            abort(400, description=messages.BROKEN_OFF)
        files = [(one.place, stored) for one in self._files if (stored := self._stored(one))]
        if words := _note([stored for _place, stored in files]):
            return Received(posted, self._refused | {one.place: words for one in self._files})
        for place, one in files:
            posted.add(place, forms.reference_to(File(one.name, one.size, one.sha256, one.media_type)))
        return Received(posted, self._refused, self._unknown)

    def receive_file(self, name: str) -> RunFile | str:
        """Store the whole body as one file and record it as the user's, or return a message that says why not."""
        request.max_content_length = HEARD_OUT * self._most + LARGEST_TEXTS
        body, one = Body(self), Incoming("", safe_filename(name), self._most)
        self._begin(one)
        while chunk := body.read(CHUNK_BYTES):
            self._take(one, chunk)
        stored = self._stored(one)
        return (_note([stored]) or stored) if stored else self._refused[one.place]

    def discard(self) -> None:
        """Delete unfinished files, and give back the space that is not used."""
        for one in self._files:
            one.drop()
        release(backend().database, self._space)

    def _posted(self, decoder: MultipartDecoder) -> MultiDict[str, str]:
        """Return the texts of the form. Raises ValueError if it is incomplete or no form."""
        body, posted = Body(self), MultiDict[str, str]()
        incoming, name, text = None, "", bytearray()
        while not isinstance(event := decoder.next_event(), Epilogue):
            match event:
                case NeedData():
                    decoder.receive_data(body.read(CHUNK_BYTES) or None)
                case Field():
                    incoming, name, text = None, event.name, bytearray()
                case FilePart():
                    incoming = self._incoming(event)
                case Data() if incoming:
                    self._take(incoming, event.data)
                case Data():
                    text += event.data
                    if not event.more_data and name:
                        posted.add(name, text.decode(errors="replace"))
        return posted

    def _incoming(self, part: FilePart) -> Incoming:
        """Begin to receive a file. Browsers send one without a name if none was chosen."""
        place = part.name or ""
        one = forms.file_field_at(self._fields, place)
        incoming = Incoming(place, safe_filename(_named(part)), most_bytes(one) if one else 0)
        if one and part.filename:
            self._begin(incoming)
        elif part.filename:
            self._unknown.append(place)
        return incoming

    def _begin(self, one: Incoming) -> None:
        if len(self._files) >= MOST_FILES:
            self._refused[one.place] = messages.TOO_MANY.format(most=MOST_FILES)
            return
        self._files.append(one)
        try:
            one.writer = backend().files.begin(WRITING.call)
        except OSError:
            self._fail(one)

    def _take(self, one: Incoming, data: bytes) -> None:
        self.file_bytes += len(data)
        if time.monotonic() > self._renew_at:
            self._renew_at += RENEWED_SECONDS
            renew(backend().database, self._space)
        if one.writer is None:
            return
        one.size += len(data)
        self._kept += len(data)
        if words := self._problem(one):
            self._refused[one.place] = words
            self._kept -= one.size
            return one.drop()
        try:
            one.writer.write(data)
        except OSError:
            self._fail(one)

    def _problem(self, one: Incoming) -> str | None:
        if one.size > one.most:
            return messages.TOO_LARGE.format(name=one.name, most=one.most / MB)
        if self._kept > self._most:
            return messages.TOO_MUCH.format(most=self._most / MB)
        return messages.NO_ROOM.format(most=_quota() / MB) if self._kept > self._space.size else None

    def _stored(self, one: Incoming) -> RunFile | None:
        try:
            return RunFile(*one.writer.finish(), one.name, media_type_of(one.name)) if one.writer else None
        except OSError:
            self._fail(one)
            return None

    def _fail(self, one: Incoming) -> None:
        log.exception("could not store an uploaded file")
        self._refused[one.place] = messages.CANNOT_KEEP
        one.drop()


def _named(part: FilePart) -> str:
    """Return a file's name as its owner knows it. Browsers escape what could end a header: quotes and line breaks."""
    return part.filename.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")


class Body:
    """The request's body, which may hold only so much that is not of a file."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._size = self._since_turn = 0

    def read(self, size: int) -> bytes:
        chunk = request.stream.read(size)
        self._size += len(chunk)
        self._since_turn += len(chunk)
        if self._size - self._receiver.file_bytes > LARGEST_TEXTS:  # the parser limits each text, but not their sum
            abort(413)
        if self._since_turn >= YIELD_BYTES:  # with a fast sender, reads never block, so yield to other greenlets
            self._since_turn = 0
            gevent.sleep(0)
        return chunk


def _note(files: Sequence[RunFile]) -> str | None:
    """Record files as the user's, all or none. Return a message if they are not."""
    try:
        if files:
            note_uploads(backend().database, current_user.id, files, _quota())
    except QuotaExceeded:
        return messages.NO_ROOM.format(most=_quota() / MB)
    except NotKept:
        return messages.CANNOT_KEEP
    return None
