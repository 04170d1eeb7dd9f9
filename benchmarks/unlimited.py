"""Our web process as it is, without two limits: `--worker-class` for gunicorn.

Any number of pages may be open, and frames may follow each other as fast as changes do: a page waits up to a tenth of a
second after the first few, so that changes measured one after the other would show that and nothing else.
"""

from gunicorn.workers.ggevent import GeventWorker


class UnlimitedWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    def load_wsgi(self) -> None:
        super().load_wsgi()
        from webapp.live import hub, rate_limit  # not before gevent has patched what it imports

        hub.MOST_PAGES = hub.MOST_PAGES_OF_ALL = 1_000_000
        rate_limit.PER_SECOND = 1_000_000.0
