"""Our web process as it is, except that one user may have any number of pages open: `--worker-class` for gunicorn."""

from gunicorn.workers.ggevent import GeventWorker


class UnlimitedWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    def load_wsgi(self) -> None:
        super().load_wsgi()
        from webapp.live import hub  # not before gevent has patched what it imports

        hub.MOST_PAGES = 1_000_000
