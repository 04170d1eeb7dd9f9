"""The pages of runs, their output and their files."""
