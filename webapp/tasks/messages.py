"""Messages about tasks."""

OTHER_ACCOUNT = "You are now logged in as {email}. Check the form, then run it again."
NOT_STORABLE = "This task changes these values when it reads them again. Change them, or tell whoever wrote the task."
NO_TASK = "No worker has this task. Choose another one."
TOO_FAR = "Choose a time within a year."
HAS_PASSED = "That time has passed, so the run was started at once."
NEW_PRESET = "New preset"
NO_PRESET = "This preset does not exist, or it is not shared with you. Choose another one on the task's page."
NOT_YOUR_PRESET = (
    "Only whoever made this preset, a manager or an administrator changes it. Save the inputs as your own."
)
NO_INPUTS_KEPT = "These inputs cannot be saved. Fill in the other fields first, or make them shorter."
TOO_MANY_PRESETS = "You have as many presets as one person may have. Delete some first."
PRESET_NAME = "Enter a name of up to {most} characters."
PRESET_NAME_TAKEN = "Another one of your presets has this name. Choose another name."
