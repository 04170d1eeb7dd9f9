"""An S3 server on its own port: rclone, whose buckets are folders that a test can inspect."""

import io
import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

from minio import Minio

from jobs.storage.s3_store import Bucket, S3Store
from jobs.worker.process import die_with_parent
from tests.support.stack import free_port
from tests.support.waiting import until

RCLONE = Path(sys.executable).with_name("rclone")
KEY = {"AWS_ACCESS_KEY_ID": "dumbwaiter", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


class ObjectServer:
    """Buckets in a folder, for those who have the KEY."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self._folder = folder
        self._host = host
        self._port = free_port()
        self.url = f"http://{host}:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ObjectServer":
        key = ",".join(KEY.values())
        # It keeps what it knows of a folder for minutes, so nothing but its own requests may change what is there. With
        # --dir-cache-time=0s it would look each time, but clean up behind itself without a pause too, and then it
        # answers nobody for half a minute now and then.
        plain = ("--vfs-cache-mode=off", "--config=/dev/null", "--log-level=ERROR")
        parent = os.getpid()
        self._process = subprocess.Popen(
            [RCLONE, "serve", "s3", self._folder, f"--addr={self._host}:{self._port}", f"--auth-key={key}", *plain],
            preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
        )
        until(self._listens, "the object server starting")
        return self

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def bucket(self) -> str:
        """Make a bucket, also before the server starts, and return its name."""
        name = f"bucket-{uuid.uuid4().hex}"
        if self._process:
            self._client().make_bucket(bucket_name=name)
        else:
            (self._folder / name).mkdir()
        return name

    def settings(self) -> dict[str, str]:
        """Settings of an application that keeps its files in a bucket of its own."""
        return {"files_url": f"s3://{self.bucket()}", "aws_endpoint_url": self.url}

    def objects(self, bucket: str) -> list[Path]:
        return [path for path in (self._folder / bucket).rglob("*") if path.is_file()]

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object as another program would."""
        self._client().put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(content), length=len(content))

    def store(self, bucket: str, folder: Path) -> S3Store:
        return S3Store(Bucket(bucket, "some/prefix", self.url), folder)

    def _client(self) -> Minio:
        access, secret = KEY.values()
        return Minio(endpoint=f"{self._host}:{self._port}", access_key=access, secret_key=secret, secure=False)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self._host, self._port)) == 0
