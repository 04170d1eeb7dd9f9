"""The database, Redis and the file store."""

from jobs.storage.database import AWAY, Base, Database, PlainJson, UtcDateTime, unusable, utcnow
from jobs.storage.local_store import LocalStore
from jobs.storage.redis import connect_redis
from jobs.storage.store import FileStore, FileWriter, plain_name

__all__ = [
    "AWAY",
    "Base",
    "Database",
    "FileStore",
    "FileWriter",
    "LocalStore",
    "PlainJson",
    "UtcDateTime",
    "connect_redis",
    "plain_name",
    "unusable",
    "utcnow",
]
