"""Runs: their row and every change of its state, submitting, the queue, events, output, files and secrets."""

from jobs.runs.audit import Actor
from jobs.runs.backend import Backend, open_backend
from jobs.runs.deletion import delete_person, delete_run
from jobs.runs.file_ownership import NotKept, QuotaExceeded, note_uploads, sizes_of, used_bytes
from jobs.runs.heartbeats import SEEN_WITHIN_SECONDS, alive
from jobs.runs.idempotency import LONGEST_KEY, Reused
from jobs.runs.output import StoredBatch, read_output
from jobs.runs.output_entries import Entry, OutputKind
from jobs.runs.people import Person, owner_key
from jobs.runs.run import LARGEST_ID, Run, State, owned
from jobs.runs.run_files import owned_file, stored_in
from jobs.runs.selection import Ending, Selection, endings, listed, versions
from jobs.runs.submission import Conflict, TooManyRuns, given_parameters, submit, submit_once
from jobs.runs.task_records import TaskRecord, record_task, recorded_task, tasks_of
from jobs.runs.vault import RefusedSecret
from jobs.runs.wait_estimate import WaitEstimate, wait_estimates

__all__ = [
    "LARGEST_ID",
    "LONGEST_KEY",
    "SEEN_WITHIN_SECONDS",
    "Actor",
    "Backend",
    "Conflict",
    "Ending",
    "Entry",
    "NotKept",
    "OutputKind",
    "Person",
    "QuotaExceeded",
    "RefusedSecret",
    "Reused",
    "Run",
    "Selection",
    "State",
    "StoredBatch",
    "TaskRecord",
    "TooManyRuns",
    "WaitEstimate",
    "alive",
    "delete_person",
    "delete_run",
    "endings",
    "given_parameters",
    "listed",
    "note_uploads",
    "open_backend",
    "owned",
    "owned_file",
    "owner_key",
    "read_output",
    "record_task",
    "recorded_task",
    "sizes_of",
    "stored_in",
    "submit",
    "submit_once",
    "tasks_of",
    "used_bytes",
    "versions",
    "wait_estimates",
]
