"""Runs: their row and every change of its state, submitting, the queue, events, output, files and secrets."""

from jobs.runs.access import PARTS, WHOLE, Access
from jobs.runs.annotations import (
    LONGEST_NAME,
    LONGEST_NOTE,
    Annotations,
    Refused,
    annotate,
    problem_with_tags,
    tags_in,
)
from jobs.runs.asked import LONGEST_DAYS, After, Asked, NoSuchRun, OtherOption, TooFar, WebhookAsked
from jobs.runs.audit import Actor
from jobs.runs.backend import Backend, open_backend
from jobs.runs.blocked import Blocked, blocked
from jobs.runs.cancel_all import cancel_all
from jobs.runs.caps import Caps, TooManyRuns
from jobs.runs.deletion import delete_person, delete_run
from jobs.runs.file_ownership import NotKept, QuotaExceeded, note_uploads, sizes_of, used_bytes
from jobs.runs.following import EARLIER_RUN
from jobs.runs.heartbeats import SEEN_WITHIN_SECONDS, alive
from jobs.runs.idempotency import LONGEST_KEY, Reused
from jobs.runs.lines import MOST_AHEAD
from jobs.runs.mails import Letter
from jobs.runs.output import StoredBatch, read_output
from jobs.runs.output_entries import Entry, OutputKind
from jobs.runs.own_data import OwnFile, files_of, files_of_run, runs_of
from jobs.runs.pauses import Kind, Pause
from jobs.runs.people import Gone, Person, Role, RoleText, owner_key
from jobs.runs.pins import pin, pinned, unpin
from jobs.runs.queue import WakeUp
from jobs.runs.receivers import RefusedReceiver
from jobs.runs.reserved_space import RENEWED_SECONDS, ReservedSpace, release, renew, reserve
from jobs.runs.retention import LARGEST, RetentionRule
from jobs.runs.retention_walk import Preview
from jobs.runs.rights import Linked, NotAllowed, Rights, Rule
from jobs.runs.run import LARGEST_ID, NEVER, Run, State, owned, seen_with
from jobs.runs.run_files import owned_file, stored_in
from jobs.runs.run_tags import tags_of
from jobs.runs.same import Existing, Submitted
from jobs.runs.saved_filters import RefusedFilter, SavedFilter
from jobs.runs.search import Found, Search, find
from jobs.runs.search_words import words_in
from jobs.runs.selection import Ending, Selection, endings, listed, versions
from jobs.runs.shares import Parts, Share, Terms
from jobs.runs.start_times import Interval
from jobs.runs.submission import (
    Conflict,
    given_parameters,
    submit,
    submit_once,
)
from jobs.runs.task_records import TaskRecord, recent_tasks, record_task, recorded_task, tasks_of
from jobs.runs.usual_duration import usual_seconds
from jobs.runs.vault import RefusedSecret
from jobs.runs.wait_estimate import WaitEstimate, wait_estimates
from jobs.runs.waits import Code, Wait, wait_of
from jobs.runs.webhook import LONGEST_URL, Delivery, Webhook
from jobs.runs.webhook_secrets import is_secret, new_secret
from jobs.runs.webhooks import TooManyWebhooks

__all__ = [
    "EARLIER_RUN",
    "LARGEST",
    "LARGEST_ID",
    "LONGEST_DAYS",
    "LONGEST_KEY",
    "LONGEST_NAME",
    "LONGEST_NOTE",
    "LONGEST_URL",
    "MOST_AHEAD",
    "NEVER",
    "PARTS",
    "RENEWED_SECONDS",
    "SEEN_WITHIN_SECONDS",
    "WHOLE",
    "Access",
    "Actor",
    "After",
    "Annotations",
    "Asked",
    "Backend",
    "Blocked",
    "Caps",
    "Code",
    "Conflict",
    "Delivery",
    "Ending",
    "Entry",
    "Existing",
    "Found",
    "Gone",
    "Interval",
    "Kind",
    "Letter",
    "Linked",
    "NoSuchRun",
    "NotAllowed",
    "NotKept",
    "OtherOption",
    "OutputKind",
    "OwnFile",
    "Parts",
    "Pause",
    "Person",
    "Preview",
    "QuotaExceeded",
    "Refused",
    "RefusedFilter",
    "RefusedReceiver",
    "RefusedSecret",
    "ReservedSpace",
    "RetentionRule",
    "Reused",
    "Rights",
    "Role",
    "RoleText",
    "Rule",
    "Run",
    "SavedFilter",
    "Search",
    "Selection",
    "Share",
    "State",
    "StoredBatch",
    "Submitted",
    "TaskRecord",
    "Terms",
    "TooFar",
    "TooManyRuns",
    "TooManyWebhooks",
    "Wait",
    "WaitEstimate",
    "WakeUp",
    "Webhook",
    "WebhookAsked",
    "alive",
    "annotate",
    "blocked",
    "cancel_all",
    "delete_person",
    "delete_run",
    "endings",
    "files_of",
    "files_of_run",
    "find",
    "given_parameters",
    "is_secret",
    "listed",
    "new_secret",
    "note_uploads",
    "open_backend",
    "owned",
    "owned_file",
    "owner_key",
    "pin",
    "pinned",
    "problem_with_tags",
    "read_output",
    "recent_tasks",
    "record_task",
    "recorded_task",
    "release",
    "renew",
    "reserve",
    "runs_of",
    "seen_with",
    "sizes_of",
    "stored_in",
    "submit",
    "submit_once",
    "tags_in",
    "tags_of",
    "tasks_of",
    "unpin",
    "used_bytes",
    "usual_seconds",
    "versions",
    "wait_estimates",
    "wait_of",
    "words_in",
]
