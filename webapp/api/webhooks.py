"""Webhooks: create, list and delete them, give them a new secret, and look at their messages."""

from http import HTTPStatus
from urllib.parse import urlencode

from flask import Response, jsonify, request, url_for

from jobs.runs import LARGEST_ID, RefusedReceiver, TooManyWebhooks, Webhook, deliveries, webhooks
from webapp.accounts.tokens import WEBHOOKS
from webapp.api import messages, representations
from webapp.api.authentication import caller, needs
from webapp.api.blueprint import bp
from webapp.api.body import json_object, whole_number
from webapp.current import backend
from webapp.problems import refuse

MOST_DELIVERIES = 100
PAGE_SIZE = 25


@bp.get("/webhooks", endpoint="webhooks")
@needs(WEBHOOKS)
def index() -> dict[str, object]:
    """List the webhooks that are told of all runs."""
    return {"webhooks": [representations.webhook(one) for one in webhooks.listed(backend().database, _owner_id())]}


@bp.post("/webhooks", endpoint="create_webhook")
@needs(WEBHOOKS)
def create() -> Response:
    """Create a webhook. Its secret is in this answer and in no other."""
    owner_id, url = _owner_id(), json_object().get("url")
    if not isinstance(url, str):
        refuse(422, messages.INVALID, {"/url": messages.FILL_IN})
    try:
        webhook, secret = webhooks.create(backend(), owner_id, url)
    except RefusedReceiver as refused:
        refuse(422, messages.INVALID, {"/url": str(refused)})
    except TooManyWebhooks:
        refuse(409, messages.TOO_MANY_WEBHOOKS.format(most=webhooks.MOST_WEBHOOKS))
    response = jsonify(representations.webhook(webhook) | {"secret": secret})
    response.status_code = HTTPStatus.CREATED
    response.headers["Location"] = url_for("api.webhook", webhook_id=webhook.id)
    return response


@bp.get("/webhooks/<int:webhook_id>", endpoint="webhook")
@needs(WEBHOOKS)
def show(webhook_id: int) -> dict[str, object]:
    """Return a webhook."""
    return representations.webhook(_mine(webhook_id))


@bp.delete("/webhooks/<int:webhook_id>", endpoint="delete_webhook")
@needs(WEBHOOKS)
def delete(webhook_id: int) -> Response:
    """Delete a webhook with its messages."""
    webhooks.remove(backend().database, _owner_id(), _mine(webhook_id).id)
    return Response(status=HTTPStatus.NO_CONTENT)


@bp.post("/webhooks/<int:webhook_id>/secret", endpoint="rotate_webhook")
@needs(WEBHOOKS)
def rotate(webhook_id: int) -> dict[str, object]:
    """Create a new secret. For a day, messages are signed with the one before it, too."""
    secret = webhooks.rotate(backend(), _owner_id(), _mine(webhook_id).id)
    return representations.webhook(_mine(webhook_id)) | {"secret": secret}


@bp.post("/webhooks/<int:webhook_id>/enable", endpoint="enable_webhook")
@needs(WEBHOOKS)
def enable(webhook_id: int) -> dict[str, object]:
    """Enable a webhook that was disabled. It is told of runs that end from then on."""
    webhooks.enable(backend().database, _owner_id(), _mine(webhook_id).id)
    return representations.webhook(_mine(webhook_id))


@bp.get("/webhooks/<int:webhook_id>/deliveries", endpoint="deliveries")
@needs(WEBHOOKS)
def index_of_deliveries(webhook_id: int) -> Response:
    """List a webhook's messages, newest first. `Link` has the address of the next page."""
    before = whole_number("before", 0, 1, LARGEST_ID) or None
    limit = whole_number("limit", PAGE_SIZE, 1, MOST_DELIVERIES)
    found = deliveries.listed(backend().database, _mine(webhook_id).id, before, limit + 1)
    response = jsonify(deliveries=[representations.delivery(one) for one in found[:limit]])
    if len(found) > limit:
        query = {**request.args, "before": found[limit - 1].id}
        address = url_for("api.deliveries", webhook_id=webhook_id)
        response.headers["Link"] = f'<{address}?{urlencode(query)}>; rel="next"'
    return response


@bp.post("/webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/send", endpoint="send_delivery")
@needs(WEBHOOKS)
def send(webhook_id: int, delivery_id: int) -> Response:
    """Send a message again, with the same id."""
    webhook = _mine(webhook_id)
    if webhook.disabled_at:
        refuse(409, messages.WEBHOOK_DISABLED)
    if not deliveries.send_again(backend().database, webhook, delivery_id):
        refuse(404, messages.NO_DELIVERY)
    return Response(status=HTTPStatus.ACCEPTED)


def _owner_id() -> int:
    """Return the caller's id; a token for some tasks only must not learn of the runs of others."""
    if caller().token.tasks:
        refuse(403, messages.WHOLE_ACCOUNT)
    return caller().account.id


def _mine(webhook_id: int) -> Webhook:
    found = webhooks.found(backend().database, _owner_id(), webhook_id)
    return found or refuse(404, messages.NO_WEBHOOK)
