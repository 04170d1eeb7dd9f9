"""Objects in an S3 bucket.

The client is pure Python without threads, so the pool can fork after a sweep, and in the web server its sockets
cooperate with the event loop. Each thread has its own client: two processes cannot share a connection, and neither can
gevent's event loop and its pool of threads.
"""

import contextlib
import io
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple

from jobs.storage.store import BUFFER_BYTES, NAME
from jobs.values.stored_file import StoreAway

if TYPE_CHECKING:
    from minio import Minio

AMAZON = "https://s3.amazonaws.com"
# A service that falls silent is asked once more: each request ends within 21 seconds.
CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
SILENT_RETRIES = 1
ERROR_RETRIES = 2
CREDENTIALS_SECONDS = 2.0
PART_BYTES = 8 * 1024 * 1024
# The first request is small, because it may be all that the reader needs; each further request is twice as large.
FIRST_BYTES = 64 * 1024
LARGEST_BYTES = 4 * 1024 * 1024


class Bucket(NamedTuple):
    """The location of the files. Credentials come from the same sources as in Amazon's tools (AWS_ACCESS_KEY_ID, …)."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""


class Object(NamedTuple):
    """An object's full name in the bucket, and its size in bytes."""

    key: str
    size: int


class S3Store:
    """Objects at `<prefix>/<name>` in a bucket; `folder` holds incoming files until they are complete."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._clients: dict[tuple[int, int], Minio] = {}

    def incoming(self) -> IO[bytes]:
        """Return a new temporary file. It has no name, so that nothing remains of it after a crash."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tempfile.TemporaryFile(dir=self._folder, buffering=BUFFER_BYTES)

    def write(self, name: str, file: IO[bytes]) -> None:
        """Upload a temporary file. The service has the complete object when this returns."""
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with self._answering() as client:
            client.put_object(
                bucket_name=self._bucket.name,
                object_name=self._key(name),
                data=file,  # type: ignore[arg-type]  # annotated as BinaryIO, but only read from
                length=size,
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )

    def open(self, name: str) -> BinaryIO:
        """Open an object as a seekable binary stream that fetches only the parts read. Raises FileNotFoundError."""
        return io.BufferedReader(Pieces(self, self._find(name)), FIRST_BYTES)

    def delete(self, name: str) -> None:
        """Delete an object. Ignore a missing one."""
        keys = [one.key for one in self._earlier(name)] if _is_plain(name) else [self._key(name)]
        with self._answering() as client:
            for key in keys:
                client.remove_object(bucket_name=self._bucket.name, object_name=key)

    def tidy(self, seconds: float) -> None:
        """Do nothing: temporary files have no name, and the service discards the parts of a failed upload."""

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes of an object from `start`. The range must lie within the object."""
        with self._answering() as client:
            answer = client.get_object(bucket_name=self._bucket.name, object_name=key, offset=start, length=length)
            try:
                return answer.read(length)
            finally:
                answer.close()
                answer.release_conn()

    def _find(self, name: str) -> Object:
        key = self._key(name)
        try:
            with self._answering() as client:
                return Object(key, client.stat_object(bucket_name=self._bucket.name, object_name=key).size or 0)
        except FileNotFoundError:
            if _is_plain(name) and (earlier := self._earlier(name)):
                return earlier[-1]
            raise

    def _earlier(self, plain_name: str) -> list[Object]:
        """Return the objects that earlier versions stored for a plain name, oldest first.

        They appended 32 digits to the name and did not record them. Names with fewer digits are ours.
        """
        with self._answering() as client:
            found = list(client.list_objects(bucket_name=self._bucket.name, prefix=f"{self._key(plain_name)}/"))
        found.sort(key=lambda one: one.last_modified or datetime.now(UTC))
        every = [Object(str(one.object_name), one.size or 0) for one in found]
        return [one for one in every if re.fullmatch("[0-9a-f]{32}", one.key.rpartition("/")[2])]

    def _key(self, name: str) -> str:
        # Security: only a valid name becomes part of a key.
        if not NAME.fullmatch(name):
            raise FileNotFoundError("there is no such file")
        return f"{self._bucket.prefix}/{name}" if self._bucket.prefix else name

    @contextlib.contextmanager
    def _answering(self) -> "Iterator[Minio]":
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        try:
            yield self._connected()
        except S3Error as error:
            if error.code == "NoSuchKey":
                raise FileNotFoundError("there is no such file") from None
            raise StoreAway(f"The file store rejected the request ({error.code}).") from error
        except (HTTPError, MinioException, ConnectionError, TimeoutError) as error:
            raise StoreAway(f"The file store is not responding ({type(error).__name__}).") from error

    def _connected(self) -> "Minio":
        here = os.getpid(), threading.get_native_id()
        if here not in self._clients:
            self._clients[here] = connect(self._bucket)
        return self._clients[here]


def _is_plain(name: str) -> bool:
    return name.count("/") == 1


class Pieces(io.RawIOBase):
    """An object as a raw stream that fetches the parts read."""

    def __init__(self, store: S3Store, content: Object) -> None:
        self._store, self._object = store, content
        self._at = self._piece_at = 0
        self._piece = b""
        self._wanted = FIRST_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._object.size}[whence]
        if start + offset < 0:
            raise ValueError("cannot seek to a negative position")
        self._at = start + offset
        self._wanted = FIRST_BYTES
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        if self._at >= self._object.size:
            return 0
        if not self._piece_at <= self._at < self._piece_at + len(self._piece):
            self._fetch()
        begin = self._at - self._piece_at
        given = self._piece[begin : begin + len(buffer)]
        buffer[: len(given)] = given
        self._at += len(given)
        return len(given)

    def _fetch(self) -> None:
        length = min(self._wanted, self._object.size - self._at)
        piece = self._store.read(self._object.key, self._at, length)
        if len(piece) != length:
            raise StoreAway("The file store returned too little data.")
        self._piece, self._piece_at = piece, self._at
        self._wanted = min(2 * self._wanted, LARGEST_BYTES)


def connect(bucket: Bucket) -> "Minio":
    """Return a client for the bucket's service. Raises StoreAway when no credentials are found."""
    import urllib3
    from minio import Minio
    from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider

    from jobs.storage.retries import Retries

    scheme, _, host = (bucket.endpoint or AMAZON).partition("://")
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=Retries(
            total=ERROR_RETRIES,
            connect=SILENT_RETRIES,
            read=SILENT_RETRIES,
            backoff_factor=0.2,
            status_forcelist=(500, 502, 503, 504),
        ),
    )
    machine = urllib3.PoolManager(timeout=CREDENTIALS_SECONDS, retries=SILENT_RETRIES)
    providers = ChainedProvider([EnvAWSProvider(), AWSConfigProvider(), IamAwsProvider(http_client=machine)])
    try:
        providers.retrieve()
    except (ValueError, urllib3.exceptions.HTTPError):  # the latter outside Amazon's machines, where nobody answers
        words = "The file store has no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise StoreAway(words) from None
    return Minio(
        endpoint=host, secure=scheme == "https", region=bucket.region or None, http_client=http, credentials=providers
    )
