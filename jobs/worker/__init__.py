"""The processes that execute runs: supervisor, workers, the template and its children, and the sweeper."""
