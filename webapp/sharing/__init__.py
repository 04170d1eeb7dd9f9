"""Sharing of runs: with whom, the pages beneath links, what others share, and all shares for administrators."""
