"""A Python client of Dumbwaiter, in one file that needs nothing but Python 3.11.

    from dumbwaiter import Dumbwaiter

    dw = Dumbwaiter("https://example.com", token="dw_...")  # or DUMBWAITER_URL and DUMBWAITER_TOKEN
    print(dw.run("shout", text="ha").result(timeout=60))

A parameter that is a `pathlib.Path` is uploaded. Files in a result are `RemoteFile` objects, tables are lists of dicts.
Requests are repeated when the connection or the server fails; a run is still started once only.
"""

import contextlib
import datetime as dt
import hashlib
import http.client
import io
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

API = "/api/v1"
TRIES = 8  # about a minute, in which a server restarts
RETRIED = (429, 502, 503, 504)
# How the cells of a column are read, by its type; a duration remains a text.
READERS: dict[str, Callable[[str], Any]] = {"decimal": Decimal, "date": dt.date.fromisoformat}
READERS |= {"date-time": dt.datetime.fromisoformat, "time": dt.time.fromisoformat}
LOST = (OSError, http.client.HTTPException)
WAIT_SECONDS, TIMEOUT_SECONDS, LONGEST_PAUSE_SECONDS = 30, 90.0, 60.0
CHUNK_BYTES = 64 * 1024
OnProgress = Callable[[float | None, str], None] | None


class ApiError(Exception):
    """A request that the server refused. `errors` has a message for each wrong parameter, by JSON pointer."""

    def __init__(self, status: int, detail: str, errors: Mapping[str, str]) -> None:
        wrong = "".join(f"\n  {pointer or '/'}: {text}" for pointer, text in errors.items())
        super().__init__(f"{status}: {detail}{wrong}")
        self.status, self.detail, self.errors = status, detail, errors


class RunFailed(Exception):
    """A run that failed or was cancelled. `kind` is the name of its exception."""

    def __init__(self, run: "Run", kind: str, message: str) -> None:
        super().__init__(f"run {run.id} {run.state}: {kind}: {message}" if kind else f"run {run.id} {run.state}")
        self.run, self.kind, self.message = run, kind, message


@dataclass(frozen=True)
class RemoteFile:
    """A file of a result. It is downloaded when it is read."""

    name: str
    size: int
    media_type: str
    sha256: str
    url: str
    _client: "Dumbwaiter"

    def open(self) -> BinaryIO:
        """Open the content as a binary stream."""
        return self._client._open("GET", self.url)

    def read(self) -> bytes:
        with self.open() as stream:
            return stream.read()

    def save(self, path: str | Path = ".") -> Path:
        """Save the file at a path, or under its own name in a folder. Returns the path.

        Raises ConnectionError if the download breaks off; what was at the path is then as it was.
        """
        target = Path(path) / Path(self.name).name if Path(path).is_dir() else Path(path)
        unfinished, received = target.with_name(f"{target.name}.part"), hashlib.sha256()
        with self.open() as stream, unfinished.open("wb") as out:
            while chunk := stream.read(CHUNK_BYTES):
                received.update(chunk)
                out.write(chunk)
        if received.hexdigest() != self.sha256:
            unfinished.unlink()
            raise ConnectionError(f"The download of {self.name} was interrupted. Try again.")
        return unfinished.replace(target)


class Run:
    """A run, as it was when it was last read."""

    def __init__(self, client: "Dumbwaiter", data: dict[str, Any]) -> None:
        self._client = client
        self.data = data

    @property
    def id(self) -> int:
        return int(self.data["id"])

    @property
    def state(self) -> str:
        """One of queued, running, succeeded, failed and cancelled."""
        return str(self.data["state"])

    @property
    def ended(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")

    def refresh(self, wait: int = 0) -> "Run":
        """Read the run again; with `wait`, as soon as it changes or after so many seconds."""
        query = f"?wait={wait}&version={self.data['version']}" if wait else ""
        self.data = self._client._json("GET", f"{API}/runs/{self.id}{query}")
        return self

    def wait(self, timeout: float | None = None, on_progress: OnProgress = None) -> "Run":
        """Wait until the run has ended. Raises TimeoutError after `timeout` seconds; the run goes on.

        `on_progress` is called with the fraction done, or None, and a note, at every change.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.ended:
            left = WAIT_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"run {self.id} is still {self.state}")
            self.refresh(wait=max(1, min(WAIT_SECONDS, int(left))))
            if on_progress:
                on_progress(self.data["progress"], self.data["progress_note"])
        return self

    def result(self, timeout: float | None = None, on_progress: OnProgress = None) -> Any:
        """Wait for the result and return it. Raises RunFailed if there is none, and TimeoutError as `wait` does."""
        self.wait(timeout, on_progress)
        if self.state != "succeeded":
            error = self.data["error"] or {}
            raise RunFailed(self, error.get("kind") or "", error.get("message") or "")
        return self._client._value(self.data["result"])

    def log(self, follow: bool = False) -> Iterator[str]:
        """Yield the lines of the log; with `follow`, until the run has ended."""
        yield from (str(line) for line in self._output("log", follow))

    def partial_results(self, follow: bool = False) -> Iterator[Any]:
        """Yield the values that the task has emitted; with `follow`, until the run has ended."""
        yield from (self._client._value(value) for value in self._output("emitted", follow))

    def cancel(self) -> "Run":
        """Cancel the run, or ask it to stop if it is running."""
        self.data = self._client._json("POST", f"{API}/runs/{self.id}/cancel")
        return self

    def retry(self) -> "Run":
        """Run again and return the run to wait for: this one, or a new one if this one succeeded."""
        return Run(self._client, self._client._json("POST", f"{API}/runs/{self.id}/retry"))

    def _output(self, kind: str, follow: bool) -> Iterator[Any]:
        after = 0
        while True:
            ended = self.ended
            found = self._client._json("GET", f"{API}/runs/{self.id}/output?kind={kind}&after={after}")
            for entry in found["entries"]:
                if ended or not entry["unfinished"]:
                    after = max(after, entry["number"])
                    yield entry["content"]
            if ended or not follow:
                return
            self.refresh(wait=WAIT_SECONDS)


class Dumbwaiter:
    """A server and the token to call it with."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._url = (url or os.environ["DUMBWAITER_URL"]).rstrip("/")
        if not self._url.startswith(("https://", "http://")):
            raise ValueError(f"{self._url!r} is not the address of a server, such as https://example.com")
        self._token = token or os.environ["DUMBWAITER_TOKEN"]

    def run(self, task: str, /, **parameters: Any) -> Run:
        """Start a run. Raises ApiError if the parameters are refused."""
        return self.submit(task, parameters)

    def submit(self, task: str, parameters: Mapping[str, Any], due_at: dt.datetime | None = None, **after: Any) -> Run:
        """Start a run as `run` does, at `due_at`, which is in this machine's zone if it names none.

        With `after=run.id`, it waits for the success of that run; with `into`, this parameter takes its result.
        """
        body = {name: self._parameter(value) for name, value in parameters.items()}
        due = {"due_at": due_at.astimezone().isoformat()} if due_at else {}
        query = urllib.parse.urlencode(due | after)
        path = f"{API}/tasks/{urllib.parse.quote(task)}/runs?{query}"
        return Run(self, self._json("POST", path, body, {"Idempotency-Key": str(uuid.uuid4())}))

    def get(self, run_id: int) -> Run:
        """Return a run by its id, to go on with it."""
        return Run(self, self._json("GET", f"{API}/runs/{run_id}"))

    def tasks(self) -> list[dict[str, Any]]:
        """Return the descriptions of the tasks."""
        return list(self._json("GET", f"{API}/tasks")["tasks"])

    def upload(self, path: str | Path) -> dict[str, Any]:
        """Upload a file and return the reference to give to a task."""
        source = Path(path)
        query = urllib.parse.urlencode({"name": source.name})
        return dict(json.loads(self._open("POST", f"{API}/files?{query}", source).read()))

    def _parameter(self, value: Any) -> Any:
        if isinstance(value, Path):
            return self.upload(value)
        if isinstance(value, Mapping):
            return {str(name): self._parameter(part) for name, part in value.items()}
        return [self._parameter(part) for part in value] if isinstance(value, list | tuple | set) else value

    def _value(self, value: Any) -> Any:
        """Return a stored value as Python has it: tables as lists of dicts, files as RemoteFile, texts as str."""
        if isinstance(value, dict) and len(value) == 1:
            [(mark, kept)] = value.items()
            if mark in ("$file", "$picture") and (url := self._own_address(kept)):
                name = kept.get("name") or f"{kept['sha256'][:12]}.png"
                return RemoteFile(name, kept.get("size", 0), kept.get("media_type", ""), kept["sha256"], url, self)
            if mark == "$table":
                readers = [READERS.get(kind, self._value) for kind in kept["types"]]
                return [dict(zip(kept["columns"], map(_read, readers, row), strict=True)) for row in kept["rows"]]
            if mark in ("$markdown", "$html"):
                return kept
        if isinstance(value, dict):
            return {name: self._value(part) for name, part in value.items()}
        return [self._value(part) for part in value] if isinstance(value, list) else value

    def _own_address(self, file: Any) -> str | None:
        """Return the address of a file, or None for what only looks like one: it must not get the token."""
        url = urllib.parse.urljoin(f"{self._url}/", str(file.get("url"))) if isinstance(file, dict) else ""
        return url if url.startswith(f"{self._url}{API}/runs/") else None

    def _json(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body, default=str).encode()
        return json.loads(self._open(method, path, data, headers).read())

    def _open(
        self, method: str, path: str, body: bytes | Path | None = None, headers: Mapping[str, str] | None = None
    ) -> BinaryIO:
        """Send a request, again after a pause when the connection or the server fails. Raises ApiError."""
        # Only these can be repeated without effect: what reads, cancels or has a key; an upload is stored once as well.
        repeatable = method == "GET" or path.endswith("/cancel") or bool(headers) or isinstance(body, Path)
        for tried in range(1, TRIES + 1):
            try:
                return self._send(method, path, body, headers or {})
            except urllib.error.HTTPError as error:
                if error.code not in RETRIED or tried == TRIES or not (repeatable or error.code == 429):
                    raise _api_error(error) from None
                pause = _seconds(error.headers.get("Retry-After"))
            except LOST:
                if tried == TRIES or not repeatable:
                    raise
                pause = None
            time.sleep(random.uniform(0.5, 1) * min(2.0**tried / 2, LONGEST_PAUSE_SECONDS) if pause is None else pause)
        raise AssertionError("the last try raises")

    def _send(self, method: str, path: str, body: bytes | Path | None, headers: Mapping[str, str]) -> BinaryIO:
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **headers}
        sent["Content-Type"] = "application/octet-stream" if isinstance(body, Path) else "application/json"
        url = path if path.startswith("http") else self._url + path
        with body.open("rb") if isinstance(body, Path) else contextlib.nullcontext(body) as data:
            if isinstance(body, Path):
                sent["Content-Length"] = str(body.stat().st_size)
            request = urllib.request.Request(url, data, sent, method=method)
            answer: BinaryIO = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        if path.startswith("http"):
            return answer  # a file, which may be large
        with answer:
            return io.BytesIO(answer.read())


def _read(reader: Callable[[Any], Any], cell: Any) -> Any:
    """Return a table's cell as Python has it, or as it is written if Python has no such value."""
    with contextlib.suppress(ValueError, ArithmeticError):
        return None if cell is None else reader(cell)
    return cell


def _api_error(error: urllib.error.HTTPError) -> ApiError:
    try:
        problem = json.load(error)
        wrong = {one["pointer"]: one["detail"] for one in problem.get("errors", ())}
        return ApiError(error.code, str(problem["detail"]), wrong)
    except (ValueError, KeyError, TypeError):
        return ApiError(error.code, str(error.reason), {})


def _seconds(retry_after: str | None) -> float | None:
    if retry_after is None or not retry_after.isdecimal():
        return None
    return min(float(retry_after), LONGEST_PAUSE_SECONDS)
