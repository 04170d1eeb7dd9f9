"""Messages about runs."""

NO_RUN = "This run doesn't exist or belongs to another account."
NO_TABLE = "This run's result has no such table."
NO_TEXT = "This run's result has no such text."

# What keeps a run from starting, by the kind of pause.
PAUSED = {
    "everything": "Everything is paused by {by}",
    "task": "This task is paused by {by}",
    "user": "Your runs are paused by {by}",
}
BECAUSE = "because {reason}."

# Uploads.
BROKEN_OFF = "The upload was interrupted. Try again."
TOO_LARGE = "{name} is larger than {most:,.10g} MB. Choose a smaller file."
TOO_MUCH = "The files in a form can total at most {most:,.10g} MB. Send fewer or smaller files."
TOO_MANY = "A form can have at most {most} files. Send fewer."
NO_ROOM = (
    "Storage limit reached: your files can total at most {most:,.10g} MB. Uploads that no run uses are deleted after a "
    "day. For more space, contact the administrator."
)
CANNOT_KEEP = "The file could not be saved. Try again later, or contact the administrator."
