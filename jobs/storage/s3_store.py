"""The file store in an S3 bucket.

A file is an object `<prefix>/<first two digits>/<sha256>/<number>`. Each upload of the same file creates a new object
with a unique number. This closes the race between storing a file again and deleting it because of its age, for which S3
offers no lock: a deletion names exactly the objects that were seen to be old, so it cannot remove one stored meanwhile.
An upload deletes the file's older objects once the new one exists. Two concurrent uploads may leave two objects, which
is harmless. The design requires that a listing shows every object stored before it started; Amazon S3 and MinIO
guarantee that. The age of an object comes from the service's clock, so the difference between that clock and ours must
be much smaller than the time that files are kept.

The client is pure Python without threads, so the pool can fork after a sweep, and in the web server its sockets
cooperate with the event loop. Each thread has its own client: two processes cannot share a connection, and neither can
gevent's event loop and its pool of threads.
"""

import contextlib
import io
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple

from jobs.storage.store import SHA256, FileWriter, put
from jobs.values.stored_file import StoreAway, StoredFile

if TYPE_CHECKING:
    from minio import Minio

AMAZON = "https://s3.amazonaws.com"
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
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


class Copy(NamedTuple):
    """One object that contains a file."""

    key: str
    size: int
    put_at: datetime

    @property
    def sha256(self) -> str:
        return self.key.split("/")[-2]

    @property
    def age(self) -> float:
        return (datetime.now(UTC) - self.put_at).total_seconds()


class S3Store:
    """A store of files in a bucket; `folder` holds incoming files until they are complete."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._clients: dict[tuple[int, int], Minio] = {}

    def put(self, source: bytes | BinaryIO) -> StoredFile:
        """Store a stream from its current position to its end. The service has the complete file when this returns."""
        return put(self, source)

    def begin(self) -> FileWriter:
        """Return a writer for a new file. The caller must finish or discard it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileWriter(tempfile.TemporaryFile(dir=self._folder), self._upload)

    def open(self, sha256: str) -> BinaryIO:
        """Open a file as a seekable binary stream that fetches only the parts read. Raises FileNotFoundError."""
        return io.BufferedReader(Pieces(self, sha256), FIRST_BYTES)

    def delete(self, sha256: str, unless_younger_than: float = 0.0) -> None:
        """Delete a file unless it was stored within the last `unless_younger_than` seconds. Ignore a missing file."""
        copies = self._copies(sha256)
        if all(copy.age >= unless_younger_than for copy in copies):
            self._remove(copies)

    def older_than(self, seconds: float, prefix: str) -> list[str]:
        """Return the hashes that start with the two digits of `prefix` and were last stored over `seconds` ago."""
        copies = self._listed(f"{prefix}/")
        young = {copy.sha256 for copy in copies if copy.age < seconds}
        return sorted({copy.sha256 for copy in copies if SHA256.fullmatch(copy.sha256)} - young)

    def tidy(self, seconds: float) -> None:
        """Do nothing: incomplete local files have no name, and the service discards the parts of a failed upload."""

    def newest(self, sha256: str) -> Copy:
        """Return the most recent object of a file. Raises FileNotFoundError."""
        copies = self._copies(sha256)
        if not copies:
            raise FileNotFoundError("there is no such file")
        return max(copies, key=lambda copy: copy.put_at)

    def read(self, copy: Copy, start: int, length: int) -> bytes:
        """Return `length` bytes of an object from `start`. The range must lie within the object."""
        with self._answering() as client:
            answer = client.get_object(bucket_name=self._bucket.name, object_name=copy.key, offset=start, length=length)
            try:
                return answer.read(length)
            finally:
                answer.close()
                answer.release_conn()

    def _upload(self, file: IO[bytes], sha256: str) -> None:
        before = self._copies(sha256)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with self._answering() as client:
            client.put_object(
                bucket_name=self._bucket.name,
                object_name=f"{self._key(sha256)}{uuid.uuid4().hex}",
                data=file,  # type: ignore[arg-type]  # annotated as BinaryIO, but only read from
                length=size,
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )
        self._remove(before)

    def _copies(self, sha256: str) -> list[Copy]:
        # Security: only a valid hash becomes part of a key.
        return self._listed(f"{sha256[:2]}/{sha256}/") if SHA256.fullmatch(sha256) else []

    def _listed(self, below: str) -> list[Copy]:
        with self._answering() as client:
            found = client.list_objects(bucket_name=self._bucket.name, prefix=self._place(below), recursive=True)
            return [Copy(str(one.object_name), one.size or 0, one.last_modified or datetime.now(UTC)) for one in found]

    def _remove(self, copies: list[Copy]) -> None:
        with self._answering() as client:
            for copy in copies:
                client.remove_object(bucket_name=self._bucket.name, object_name=copy.key)

    def _key(self, sha256: str) -> str:
        return self._place(f"{sha256[:2]}/{sha256}/")

    def _place(self, below: str) -> str:
        return f"{self._bucket.prefix}/{below}" if self._bucket.prefix else below

    @contextlib.contextmanager
    def _answering(self) -> "Iterator[Minio]":
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        try:
            yield self._connected()
        except S3Error as error:
            raise StoreAway(f"The file store rejected the request ({error.code}).") from error
        except (HTTPError, MinioException, ConnectionError, TimeoutError) as error:
            raise StoreAway(f"The file store is not responding ({type(error).__name__}).") from error

    def _connected(self) -> "Minio":
        here = os.getpid(), threading.get_native_id()
        if here not in self._clients:
            self._clients[here] = connect(self._bucket)
        return self._clients[here]


class Pieces(io.RawIOBase):
    """A stored file as a raw stream that fetches the parts read."""

    def __init__(self, store: S3Store, sha256: str) -> None:
        self._store, self._sha256 = store, sha256
        self._copy = store.newest(sha256)
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
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._copy.size}[whence]
        if start + offset < 0:
            raise ValueError("cannot seek to a negative position")
        self._at = start + offset
        self._wanted = FIRST_BYTES
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        if self._at >= self._copy.size:
            return 0
        if not self._piece_at <= self._at < self._piece_at + len(self._piece):
            self._fetch()
        begin = self._at - self._piece_at
        given = self._piece[begin : begin + len(buffer)]
        buffer[: len(given)] = given
        self._at += len(given)
        return len(given)

    def _fetch(self) -> None:
        length = min(self._wanted, self._copy.size - self._at)
        try:
            piece = self._store.read(self._copy, self._at, length)
        except StoreAway:
            before, self._copy = self._copy, self._store.newest(self._sha256)
            if self._copy == before:
                raise
            # The file was stored again meanwhile, which deleted the older object.
            piece = self._store.read(self._copy, self._at, length)
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
        retries=Retries(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
    )
    providers = ChainedProvider([EnvAWSProvider(), AWSConfigProvider(), IamAwsProvider()])
    try:
        providers.retrieve()
    except ValueError:
        words = "The file store has no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise StoreAway(words) from None
    return Minio(
        endpoint=host, secure=scheme == "https", region=bucket.region or None, http_client=http, credentials=providers
    )
