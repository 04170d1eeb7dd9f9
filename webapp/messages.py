"""Messages of error pages, and of requests that no view answers."""

from jobs.runs import SEEN_WITHIN_SECONDS

# By status code, instead of Werkzeug's descriptions.
ERRORS = {
    400: "The browser sent an invalid request. Go back and try again.",
    403: "You don't have access to this page.",
    404: "This page doesn't exist or belongs to another account. Check the address.",
    405: "This address doesn't support that kind of request.",
    413: "The request is too large. Send at most 1 MB.",
    429: "Too many requests. Try again in a few minutes.",
    500: "Something went wrong on the server. Everything saved earlier is safe. Try again in a moment.",
}
NO_ADDRESS = "The API has no such address. /api/openapi.json lists them all."
UNSAVED = (
    "Your changes have not been saved because the database can't be written to right now. "
    "Everything saved earlier is safe. Try again in a moment."
)
DATABASE_AWAY = (
    "This page can't be shown right now because the database is not responding. "
    "Everything saved earlier is safe. Try again in a moment."
)
REDIS_AWAY = "The queue is not responding. Submitted runs are safe and start when it is back. Try again in a moment."
STORE_AWAY = "The file store is not responding. Stored files are safe. Try again in a moment."
FOREIGN_REQUEST = "This request did not come from this site. Reload the page and try again."
OTHER_HOST = (
    "This address does not lead to this site. Open the site at its own address. "
    "If this is its address, set PUBLIC_URL, or add the name to ALLOWED_HOSTS."
)
PLAIN_HTTP = (
    "This site is served over https only. Open it at an address that begins with https://. "
    "If you did, the proxy in front must send X-Forwarded-Proto."
)
VIEWERS_RUN_NOTHING = "You are a viewer here, and viewers run no tasks. Ask an administrator for the role of a member."
ACCOUNT_GONE = "This account was deleted a moment ago."
SLOW = "The request took too long to arrive. Check the connection and try again."
NO_JOB = "RQ no longer has this job."

# By what is missing, at /readyz.
NOT_READY = {
    "database": "The database does not answer. Check DATABASE_URL and the server behind it.",
    "redis": "Redis does not answer. Check REDIS_URL and the server behind it.",
    "worker": f"No worker was seen in the last {SEEN_WITHIN_SECONDS} s. Start python -m jobs, or set WORKERS above 0.",
}

# Of the command palette: what it finds, and the pages by their endpoints.
PALETTE_KINDS = ("Tasks", "Runs", "Pages")
PAGES = {
    "tasks.index": "Tasks",
    "runs.index": "History",
    "auth.account": "Account",
    "webhooks.index": "Webhooks",
    "docs.index": "API",
    "palette.shortcuts": "Keyboard shortcuts",
}
MANAGERS_PAGES = {"groups.index": "Groups"}
ADMINISTRATORS_PAGES = {
    "users.index": "Users",
    "groups.index": "Groups",
    "admin_tasks.index": "Tasks and who sees them",
    "workers.index": "Workers",
    "pauses.index": "Pauses",
    "failures.index": "Failures",
    "audit.index": "Audit log",
    "settings.index": "Settings",
}
SHORTCUTS = (
    (("Ctrl", "K"), "Go to a task, a run or a page"),
    (("/",), "The same"),
    (("j",), "Next row"),
    (("k",), "Row before"),
    (("r",), "Run again, on the page of a run"),
    (("e",), "Edit and run, on the page of a run"),
    (("Ctrl", "Enter"), "Send the form, from a field of several lines"),
    (("?",), "This list"),
)
