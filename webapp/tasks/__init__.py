"""The pages of the tasks, and which of them can be used."""
