"""The database, Redis and the file store."""
