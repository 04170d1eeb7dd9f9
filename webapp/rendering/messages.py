"""Messages about results and files of runs."""

NO_FILE = "This file doesn't exist."
DELETED = "This file has been deleted. Run the task again."
LONG_MARKDOWN = "This Markdown is too long to be formatted, so it is shown as it is written."
DEEP_HTML = "This HTML is nested too deeply or not well-formed, so it is shown as it is written."
