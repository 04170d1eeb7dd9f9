"""HTML of runs, results and tables, for pages, responses and pushes alike."""
