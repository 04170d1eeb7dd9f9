"""A gunicorn worker class that runs our web process without its limits on open pages and frame rate.

The rate limit delays frames after the first few, which would dominate the times of successive changes.
"""

from gunicorn.workers.ggevent import GeventWorker


class UnlimitedWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    def load_wsgi(self) -> None:
        super().load_wsgi()
        from webapp.live import hub, rate_limit  # after gevent has patched the modules that it imports

        hub.MOST_PAGES = hub.MOST_PAGES_OF_ALL = 1_000_000
        rate_limit.RateLimit.wait = lambda *_urgent, **_named: None  # type: ignore[method-assign]  # no limit
