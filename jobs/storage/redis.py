"""The connection to Redis, which only notifies workers and pages: the database is the source of truth."""

from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from config import ConfigError, Settings

CONNECT_SECONDS = 2
ANSWER_SECONDS = 2


def connect_redis(settings: Settings, **options: Any) -> Redis:
    """Return a client with short timeouts, so that submitting a run does not block while Redis is unavailable.

    Raises ConfigError, without the password, when the URL is malformed.
    """
    if settings.redis.startswith("rediss://") and not settings.redis_tls_verify:
        options["ssl_cert_reqs"] = "none"
    try:
        return Redis.from_url(
            settings.redis,
            socket_connect_timeout=CONNECT_SECONDS,
            driver_info=None,  # sending the driver's version costs two round trips per connection
            retry=Retry(ExponentialBackoff(cap=0.1, base=0.02), retries=1),
            **{"socket_timeout": ANSWER_SECONDS, **options},
        )
    except ValueError:  # its words may contain the password
        raise ConfigError("REDIS_URL: not a valid URL; in the password, write @ as %40 and % as %25") from None
