"""Accounts: signing in and out, passwords, throttling, and users' secrets."""
