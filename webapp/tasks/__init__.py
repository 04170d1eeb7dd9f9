"""Pages of tasks, and the catalog of usable ones."""
