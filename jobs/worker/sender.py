"""Send mails and messages to webhooks, several at once, in a process of its own that lives while there are any.

The supervisor forks it when a message is due: it shares the memory of what the supervisor has imported, costs nothing
while there is nothing to send, and a slow receiver delays neither a sweep nor a run. A thread waits for each receiver.
"""

import logging
import select
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from jobs.runs import deliveries, mails, webhooks
from jobs.runs.backend import Backend
from jobs.runs.deliveries import Answer, Claimed
from jobs.runs.mails import Mail
from jobs.runs.webhook_secrets import signature
from jobs.worker import mail_sender, webhook_request
from jobs.worker.wakeup_pipe import WakeupPipe

log = logging.getLogger(__name__)

MOST_AT_ONCE = 16
MOST_MAILS = 4
MOST_OF_OWNER = 4
MOST_OF_WEBHOOK = 2
LINGER_SECONDS = 10.0
LOOK_SECONDS = 0.5
UNREADABLE = "The secret cannot be read any more. Create a new one."
UNSENT = "The message could not be sent. Tell the operator."

Running = dict[Future[None], Claimed | Mail]


def send_all(backend: Backend, wakeup: WakeupPipe, may_go_on: Callable[[], bool]) -> None:
    """Send what is due, and what becomes due until nothing has for LINGER_SECONDS."""
    running: Running = {}
    with ThreadPoolExecutor(MOST_AT_ONCE) as threads:
        while may_go_on():
            while claimed := _claim(backend, running):
                running[threads.submit(_send, backend, claimed)] = claimed
            if running:
                for done in wait(running, LOOK_SECONDS, FIRST_COMPLETED).done:
                    del running[done]
            elif select.select([wakeup], [], [], LINGER_SECONDS)[0]:
                wakeup.was_woken()
            else:
                return


def _claim(backend: Backend, running: Running) -> Claimed | Mail | None:
    """Claim a mail or a message, leaving those of owners and webhooks that have enough at once."""
    if len(running) >= MOST_AT_ONCE:
        return None
    to_webhooks = [claimed.webhook for claimed in running.values() if isinstance(claimed, Claimed)]
    if len(running) - len(to_webhooks) < MOST_MAILS and (mail := mails.claim(backend.database, mail_sender.SECONDS)):
        return mail
    owners, hooks = Counter(webhook.owner_id for webhook in to_webhooks), Counter(webhook.id for webhook in to_webhooks)
    seconds = backend.settings.lease_seconds
    return deliveries.claim(backend.database, seconds, _full(owners, MOST_OF_OWNER), _full(hooks, MOST_OF_WEBHOOK))


def _full(counts: Counter[int], most: int) -> Collection[int]:
    return [one for one, count in counts.items() if count >= most]


def _send(backend: Backend, claimed: Claimed | Mail) -> None:
    """Send a message and record what has come of it. If it cannot be recorded, it is sent again after the claim."""
    if isinstance(claimed, Mail):
        mail_sender.send(backend, claimed)
        return
    try:
        answer = _answer(backend, claimed)
    except Exception:
        log.exception("could not send delivery %d", claimed.delivery.id)
        answer = Answer(problem=UNSENT)
    try:
        if not deliveries.record(backend.database, claimed, answer):
            log.info("delivery %d is no longer held by this sender", claimed.delivery.id)
    except Exception:
        log.exception("could not record what came of delivery %d; it is sent again", claimed.delivery.id)


def _answer(backend: Backend, claimed: Claimed) -> Answer:
    delivery, webhook = claimed.delivery, claimed.webhook
    secrets = webhooks.secrets_of(backend.vault, webhook)
    if not secrets:
        return Answer(problem=UNREADABLE)
    body, timestamp = deliveries.body(delivery, backend.settings), int(time.time())
    headers = {
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secrets, delivery.message_id, timestamp, body),
    }
    seconds = min(webhook_request.ANSWER_SECONDS, backend.settings.lease_seconds / 2)
    return webhook_request.send(webhook.url, headers, body, backend.settings, seconds)
