"""Accounts: login, logout, passwords, throttling and users' secrets."""
