"""Messages about tasks."""

OTHER_ACCOUNT = "You are now logged in as {email}. Check the form, then run it again."
NO_TASK = "No worker has this task. Choose another one."
