"""The pages of webhooks: create, watch, enable and delete them, give them a new secret, and send a message again."""

from http import HTTPStatus

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from jobs.runs import LARGEST_ID, RefusedReceiver, TooManyWebhooks, Webhook, deliveries, webhooks
from webapp.accounts import messages
from webapp.current import backend

bp = Blueprint("webhooks", __name__)

PAGE_SIZE = 25
MOST_OF_SINGLE_RUNS = 10


@bp.get("/account/webhooks")
def index() -> str:
    return _index()


@bp.post("/account/webhooks")
def create() -> Response:
    """Create a webhook. Its secret is in the response to this form and nowhere else."""
    url = request.form.get("url", "").strip()
    try:
        webhook, secret = webhooks.create(backend(), current_user.id, url)
    except RefusedReceiver as refused:
        return make_response(_index(url, str(refused)), HTTPStatus.UNPROCESSABLE_ENTITY)
    except TooManyWebhooks:
        full = messages.TOO_MANY_WEBHOOKS.format(most=webhooks.MOST_WEBHOOKS)
        return make_response(_index(url, full), HTTPStatus.UNPROCESSABLE_ENTITY)
    return make_response(_page(webhook, secret))


@bp.get("/account/webhooks/<int:webhook_id>")
def show(webhook_id: int) -> str:
    return _page(_mine(webhook_id))


@bp.post("/account/webhooks/<int:webhook_id>/secret")
def rotate(webhook_id: int) -> Response:
    """Create a new secret, which is in the response to this form and nowhere else."""
    secret = webhooks.rotate(backend(), current_user.id, webhook_id) or abort(404)
    return make_response(_page(_mine(webhook_id), secret))


@bp.post("/account/webhooks/<int:webhook_id>/enable")
def enable(webhook_id: int) -> Response:
    if not webhooks.enable(backend().database, current_user.id, webhook_id):
        abort(404)
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


@bp.post("/account/webhooks/<int:webhook_id>/delete")
def delete(webhook_id: int) -> Response:
    if not webhooks.remove(backend().database, current_user.id, webhook_id):
        abort(404)
    return redirect(url_for("webhooks.index"), 303)


@bp.post("/account/webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/send")
def send(webhook_id: int, delivery_id: int) -> Response:
    """Send a message again, with the same id."""
    webhook = _mine(webhook_id)
    if webhook.disabled_at:
        abort(409, description=messages.WEBHOOK_DISABLED)
    if not deliveries.send_again(backend().database, webhook, delivery_id):
        abort(404)
    return redirect(url_for("webhooks.show", webhook_id=webhook_id, _anchor="deliveries"), 303)


def _mine(webhook_id: int) -> Webhook:
    return webhooks.found(backend().database, current_user.id, webhook_id) or abort(404)


def _index(url: str = "", error: str = "") -> str:
    return render_template(
        "accounts/webhooks.html",
        webhooks=webhooks.listed(backend().database, current_user.id),
        of_single_runs=webhooks.of_single_runs(backend().database, current_user.id, MOST_OF_SINGLE_RUNS),
        url=url,
        error=error,
        reasons=messages.DISABLED_BECAUSE,
    )


def _page(webhook: Webhook, new_secret: str = "") -> str:
    before = request.args.get("before", type=int)
    found = deliveries.listed(backend().database, webhook.id, before and min(before, LARGEST_ID), PAGE_SIZE + 1)
    return render_template(
        "accounts/webhook.html",
        webhook=webhook,
        new_secret=new_secret,
        deliveries=found[:PAGE_SIZE],
        more=len(found) > PAGE_SIZE,
        reasons=messages.DISABLED_BECAUSE,
    )
