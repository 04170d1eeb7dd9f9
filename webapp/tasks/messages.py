"""Messages about tasks."""

OTHER_ACCOUNT = "You are now logged in as {email}. Check the form, then run it again."
NOT_STORABLE = "This task changes these values when it reads them again. Change them, or tell whoever wrote the task."
NO_TASK = "No worker has this task. Choose another one."
TOO_FAR = "Choose a time within a year."
HAS_PASSED = "That time has passed, so the run was started at once."
