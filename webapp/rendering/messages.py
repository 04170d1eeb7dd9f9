"""Messages about files of runs."""

NO_FILE = "This file doesn't exist."
DELETED = "This file has been deleted. Run the task again."
