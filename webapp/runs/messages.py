"""Messages about runs."""

from jobs.runs import Code, Existing

NO_RUN = "There is no such run, or it is private. Ask its owner to share it."
NO_LOG = "The owner of this run does not share its log."
NO_TABLE = "This run's result has no such table."
NO_TEXT = "This run's result has no such text."

# The search.
LONG_QUERY = "The search can have at most {most} characters. Nothing of it was applied."
MANY_TERMS = "The search can have at most {most} terms. Those after it were left out."
OPEN_QUOTE = "{term} was left out: the closing quotation mark is missing."
NO_VALUE = "{term} was left out: write what to look for after the colon, without a space between."
NO_FILTER = (
    "{term} was left out: there is no such filter. There are task:, state:, tag:, starred:yes, "
    'since:, before: and input.name:. To find these words themselves, put them in quotation marks: "{quoted}".'
)
STANDS_TWICE = "{term} was left out: {key}: can stand only once."
NO_OPERATOR = '{term} was left out: a run must fit all terms. To find the word itself, write "{term}".'
NO_EXCLUSION = '{term} was left out: nothing can be excluded. To find the word itself, write "{term}".'
NO_WORDS = "{term} was left out: it has no letters or digits to look for."
BAD_STAR = (
    "{term} was left out: * stands at the end of a word, after at least {least} letters, and finds what begins so."
)
NO_SUCH_TASK = "task:{name} was left out: you see no such task and have no runs of one."
NO_SUCH_STATE = "state:{name} was left out: there is no such state. There are {states}."
DOWNLOADING = "A download of yours is under way. Wait until it ends, then try again."
NAME_FILTER = "Enter a name of 1 to {most} characters."
NOTHING_TO_SAVE = "Write a search first that has nothing left out."
NO_MOMENT = "{term} was left out: write a date such as 2026-01-31, or how long ago, such as 30m, 12h, 7d or 2w."
NOT_STARRED = "starred:{value} was left out: write starred:yes."

# What a queued run waits for, by its code in jobs.runs.waits. The parts of a sentence are joined by semicolons.
WAITS = {
    Code.QUEUE_AWAY: "The queue is unavailable. The run will start when it is back.",
    Code.NO_WORKER_HAS_TASK: "No worker has this task. It fails after 10 minutes.",
    Code.AFTER: "Waits for {run}",
    Code.SCHEDULED: "Scheduled for {at}",
    Code.RETRY: "{attempt}, next {at}",
    Code.NO_WORKER: "No worker is running. The run will start when one is available.",
    Code.DRAINED: "All workers are drained, by {by} since {since}. The run will start when one is resumed.",
    Code.TASK_LIMIT: "Limit of {most} at once for this task: {run} is running",
    Code.KEY_LIMIT: "Limit of {most} at once for {of}: {run} is running",
    Code.OWNER_LIMIT: "Your limit of {most} at once: {run} is running",
}
PAUSED = {
    "everything": "Everything is paused by {by}",
    "task": "This task is paused by {by}",
    "user": "Your runs are paused by {by}",
}
BECAUSE = " because {because}."
ANOTHERS_RUN = "another user's run"
NEXT = "Next in line"
POSITION = "{nth} for you"
FAR_BACK = "More than 1,000 of your runs come first"
ONE_PERSON = "1 person ahead"
PEOPLE = "{people} people ahead"
ONE_CAME_LATER = "1 of them came later, having had less of the workers' time"
CAME_LATER = "{later} of them came later, having had less of the workers' time"
OVERTAKEN = "your run {run} is tried again first"
STARTS_IN = "starts in about {most}"
STARTS_BETWEEN = "starts in {least} to {most}"
STARTS_WITHIN = "starts within {most}"
STARTS_AFTER = "starts in more than {least}"
UNKNOWN_START = "when it starts can't be known yet"

# Of a run that a submission has led to, by jobs.runs.same.
INSTEAD = {
    Existing.UNIQUE.value: "You have submitted these parameters before, and this run with them has not ended.",
    Existing.REUSE.value: "This is the result of your earlier run with the same parameters, files and code.",
}

# Actions on many runs.
NO_ACTION = "There is no such action. Go back to the history and choose again."
TOO_MANY_ACTIONS = "You have {most} actions on many runs going on. Wait until one has ended, or end it."
NO_TAG = "Enter the tag that the runs are to have."
BULK = {"cancel": "Cancel", "retry": "Run again", "delete": "Delete", "tag": "Tag"}

# Uploads.
BROKEN_OFF = "The upload was interrupted. Try again."
TOO_LARGE = "{name} is larger than {most:,.10g} MB. Choose a smaller file."
TOO_MUCH = "The files in a form can total at most {most:,.10g} MB. Send fewer or smaller files."
TOO_MANY = "A form can have at most {most} files. Send fewer."
NO_ROOM = (
    "Storage limit reached: your files can total at most {most:,.10g} MB. Uploads that no run uses are deleted after a "
    "day. Delete some under Account → Space. For more space, contact the administrator."
)
CANNOT_KEEP = "The file could not be saved. Try again later, or contact the administrator."
DEFAULT_INPUTS = "Default inputs"
NO_PARAMETERS = "No parameters"
