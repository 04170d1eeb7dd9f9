"""The connection to Redis, which wakes workers and pages and is never asked what is true."""

from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from config import Settings

CONNECT_SECONDS = 2
ANSWER_SECONDS = 2


def connect_redis(settings: Settings, **options: Any) -> Redis:
    """A client that gives up soon: whoever submits does not wait for a Redis that is away."""
    if settings.redis.startswith("rediss://") and not settings.redis_tls_verify:
        options["ssl_cert_reqs"] = "none"
    return Redis.from_url(
        settings.redis,
        socket_connect_timeout=CONNECT_SECONDS,
        driver_info=None,  # telling Redis the driver's version costs two round trips for every connection
        retry=Retry(ExponentialBackoff(cap=0.1, base=0.02), retries=1),
        **{"socket_timeout": ANSWER_SECONDS, **options},
    )
