"""A person's data as a ZIP archive that is written while it is sent, so that little of it is in memory at a time."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import gevent

from jobs.runs import (
    Backend,
    OutputKind,
    OwnFile,
    Run,
    files_of,
    files_of_run,
    groups,
    pinned,
    presets,
    read_output,
    runs_of,
    saved_filters,
    shares,
    webhooks,
)
from jobs.values import StoreAway
from webapp.accounts import identities, sessions, tokens
from webapp.accounts.users import Account
from webapp.rendering.files import safe_filename

CHUNK_BYTES = 64 * 1024
PRIVATE = 0o600 << 16  # the permissions of what is unpacked
MOST_OF_SINGLE_RUNS = 100


class Outgoing(io.RawIOBase):
    """A stream that only goes forward, from which what was written is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def stream(backend: Backend, account: Account) -> Iterator[bytes]:
    """Yield the archive of all that an account has, in parts of about 64 KB, or of the size of a run's result."""
    outgoing, missing = Outgoing(), list[str]()
    with zipfile.ZipFile(outgoing, "w") as archive:
        yield from _member(archive, outgoing, "account.json", iter([_as_json(_account(backend, account), 2)]))
        yield from _member(archive, outgoing, "runs.jsonl", _runs(backend, account.id))
        for file in files_of(backend.database, account.id):
            try:
                content = backend.files.open(file.sha256)
            except (FileNotFoundError, StoreAway):
                missing.append(path_of(file))
                continue
            with content:
                chunks = iter(lambda content=content: content.read(CHUNK_BYTES), b"")  # type: ignore[misc]
                yield from _member(archive, outgoing, path_of(file), chunks, zipfile.ZIP_STORED)
        if missing:
            lines = ("These files could not be read:\n", *(f"{path}\n" for path in missing))
            yield from _member(archive, outgoing, "missing.txt", map(str.encode, lines))
    yield outgoing.take()


def path_of(file: OwnFile) -> str:
    """Return a file's path in the archive. The digits keep apart what has the same name."""
    folder = "uploads" if file.run_id is None else f"run-{file.run_id}"
    return f"files/{folder}/{file.sha256[:8]}-{safe_filename(file.name)}"


def _member(
    archive: zipfile.ZipFile,
    outgoing: Outgoing,
    name: str,
    chunks: Iterator[bytes],
    compression: int = zipfile.ZIP_DEFLATED,
) -> Iterator[bytes]:
    info = zipfile.ZipInfo(name, datetime.now().timetuple()[:6])
    info.compress_type, info.external_attr = compression, PRIVATE
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)
            yield outgoing.take()
            gevent.sleep(0)  # writing to a fast reader gives no other request its turn
    yield outgoing.take()


def _runs(backend: Backend, owner_id: int) -> Iterator[bytes]:
    for run in runs_of(backend.database, owner_id):
        yield _as_json(_run(backend, run)) + b"\n"


def _run(backend: Backend, run: Run) -> dict[str, Any]:
    failed = {"kind": run.error_kind, "message": run.error_message, "traceback": run.error_traceback}
    return {
        "id": run.id,
        "task": run.task,
        "state": run.state,
        "name": run.name,
        "note": run.note,
        "tags": run.tags,
        "starred": run.starred,
        "attempt": run.attempt,
        "code": run.code,
        "created_at": run.created_at,
        "queued_at": run.queued_at,
        "scheduled_for": run.scheduled_for,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "parameters": run.parameters,
        "result": run.result,
        "notes": run.notes,
        "error": failed if run.error_kind else None,
        "log": _output(backend, run, OutputKind.LOG),
        "emitted": _output(backend, run, OutputKind.EMITTED),
        "files": [path_of(file) for file in files_of_run(backend.database, run)],
    }


def _output(backend: Backend, run: Run, kind: OutputKind) -> list[dict[str, Any]]:
    read = read_output(backend.database, run.id, kind)
    return [entry._asdict() for batch in read.batches for entry in batch.entries]


def _account(backend: Backend, account: Account) -> dict[str, Any]:
    """Return what is kept of a person. Of secrets and tokens there are the names, as the values are never shown."""
    database, owner_id = backend.database, account.id
    hooks = [
        *webhooks.listed(database, owner_id),
        *webhooks.of_single_runs(database, owner_id, MOST_OF_SINGLE_RUNS),
    ]
    with database.read() as session:
        pins, named = pinned(session, owner_id), presets.of_owner(session, owner_id)
    return {
        "email": account.email,
        "role": account.role,
        "groups": sorted(groups.of_person(database, owner_id).values()),
        "created_at": account.created_at,
        "time_zone": account.zone,
        "mail_at_end": account.mail_at_end,
        "sign_ins": _of(identities.listed(database, owner_id), "issuer", "subject", "created_at", "last_used_at"),
        "sessions": _of(sessions.listed(database, owner_id), "device", "ip_address", "created_at", "last_used_at"),
        "secrets": backend.vault.names(owner_id),
        "tokens": _of(
            tokens.listed(database, owner_id), "name", "scopes", "tasks", "created_at", "expires_at", "last_used_at"
        ),
        "shares": _of(
            shares.of_owner(database, owner_id),
            *("run_id", "kind", "whom", "parts", "signed_in", "created_at", "expires_at", "visits", "visited_at"),
        ),
        "pinned_tasks": pins,
        "saved_filters": _of(saved_filters.listed(database, owner_id), "name", "query", "created_at"),
        "presets": _of(named, "task", "name", "parameters", "is_shared", "is_default", "saved_at"),
        "webhooks": _of(hooks, "url", "run_id", "created_at", "disabled_at", "disabled_because"),
    }


def _of(rows: Any, *names: str) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in names} for row in rows]


def _as_json(value: object, indent: int | None = None) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=datetime.isoformat)
    return text.encode(errors="replace")
