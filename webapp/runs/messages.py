"""Messages about runs."""

NO_RUN = "This run doesn't exist or belongs to another account."
NO_TABLE = "This run's result has no such table."
