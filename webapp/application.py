"""The application factory."""

import logging
from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.middleware.proxy_fix import ProxyFix

import config
from jobs.runs import Backend, open_backend
from webapp import (
    api,
    connections,
    converters,
    errors,
    forms,
    health,
    hosts,
    live,
    palette,
    rights,
    rq_dashboard,
    security,
    url_prefix,
)
from webapp.accounts import (
    address_views,
    auth,
    confirmation,
    export_views,
    preference_views,
    proof_views,
    registration,
    second_factor_views,
    secrets,
    session_views,
    space_views,
    sso_views,
    token_views,
    webhook_views,
)
from webapp.accounts.sessions import UNUSED
from webapp.admin import (
    audit_views,
    failure_views,
    group_views,
    pause_views,
    retention_views,
    settings_views,
    task_views,
    user_views,
    users,
    worker_views,
)
from webapp.current import put_backend
from webapp.rendering import charts, failures, files, fragments, layout, markdown, results, static_files
from webapp.runs import (
    annotation_views,
    bulk_views,
    code,
    downloads,
    filters,
    keeping,
    known_tasks,
    output,
    own_inputs,
    pace,
    uploads,
    waits,
)
from webapp.runs import views as runs
from webapp.sharing import admin_views as admin_shares
from webapp.sharing import link_views, list_views, share_views
from webapp.tasks import pin_views, preset_views, programs, start
from webapp.tasks import views as tasks
from webapp.tasks.catalog import usable

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent
LARGEST_REQUEST_BYTES = 1024 * 1024
PARTS = (
    *(hosts, static_files, security, auth, second_factor_views, confirmation, registration, sso_views),
    *(filters, fragments, results, charts, markdown, output, errors, layout, rights, rq_dashboard, uploads),
    *(own_inputs, programs, start, known_tasks, pace, waits, failures, preference_views, code, keeping),
)
ROOMS = (
    *(tasks, pin_views, preset_views, runs, annotation_views, bulk_views, downloads, files, api, api.openapi, api.docs),
    *(api.mcp, health, users, audit_views, retention_views, palette),
    *(user_views, group_views, task_views, worker_views, pause_views, failure_views, settings_views, secrets),
    *(address_views, export_views, preference_views, proof_views, session_views, token_views, webhook_views),
    *(share_views, list_views, link_views, admin_shares, space_views),
)


def make(backend: Backend | None = None) -> Flask:
    """Create the Flask application; see `webapp.create_app`."""
    backend = backend or _open_backend(config.load())
    settings = backend.settings
    app = Flask("webapp", root_path=str(ROOT), static_folder="static", template_folder="templates")
    app.config.update(
        SECRET_KEY=settings.session_key(),
        SECRET_KEY_FALLBACKS=[settings.secret_key_previous] if settings.secret_key_previous else None,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=UNUSED,
        MAX_CONTENT_LENGTH=LARGEST_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_REQUEST_BYTES,
    )
    assert app.jinja_loader is not None
    # In a folder of tasks, results/<task>.html shows the results of a task. The application's own templates win.
    app.jinja_loader = ChoiceLoader([app.jinja_loader, FileSystemLoader(settings.tasks)])
    app.jinja_env.globals.update(
        app_name=settings.app_name,
        has_contact=bool(settings.contact),
        has_logo=settings.app_logo is not None,
        help_url=settings.help_url,
    )
    put_backend(app, backend)
    converters.init_app(app)
    url_prefix.init_app(app, settings.url_prefix)
    connections.init_app(app)
    proxies = settings.trusted_proxies
    proxied = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)
    app.wsgi_app = proxied  # type: ignore[method-assign]  # the documented way to add middleware
    for task in backend.catalog.values():
        forms.fields_of(task)
    for part in PARTS:
        part.init_app(app)
    live.init_app(app, backend)
    for room in ROOMS:
        app.register_blueprint(room.bp)
    return app


def _open_backend(settings: config.Settings) -> Backend:
    catalog, errors = usable(settings.tasks)
    for error in errors:
        log.debug("%s", error)  # the checks before the start have named it
    return open_backend(settings, catalog)
