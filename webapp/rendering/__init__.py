"""HTML rendering of runs, results and tables, shared by pages, responses and pushes."""
