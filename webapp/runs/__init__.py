"""Pages of runs, with their output and files."""
