"""Our web process as it is, except that any number of pages may be open: `--worker-class` for gunicorn."""

from gunicorn.workers.ggevent import GeventWorker


class UnlimitedWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    def load_wsgi(self) -> None:
        super().load_wsgi()
        from webapp.live import hub  # not before gevent has patched what it imports

        hub.MOST_PAGES = hub.MOST_PAGES_OF_ALL = 1_000_000
