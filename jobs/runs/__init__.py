"""Runs: their row and every change of its state, submitting, the queue, events, output, files and secrets."""
