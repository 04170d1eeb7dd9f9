"""Live: new runs, which most often end at once."""

import time

from jobs.runs import events
from jobs.runs.lease import Change
from tests.support.people import make_run, owner_id
from tests.support.person import Person, receive_until, shows
from tests.support.stack import Stack
from tests.support.waiting import PATIENCE_SECONDS
from webapp.live.subscribers import NEW_RUN_SECONDS


def test_a_new_run_is_held_back_for_a_moment_in_case_that_it_ends_meanwhile(stack: Stack, ada: Person) -> None:
    backend = stack.backend()
    with ada.socket() as socket:
        socket.recv(timeout=PATIENCE_SECONDS)
        run = make_run(backend, owner_id(backend, ada.email))
        begun = time.monotonic()
        events.publish(backend.redis, Change(run.id, run.owner_id, run.version))
        receive_until(socket, shows(run.id, "queued"))
    assert time.monotonic() - begun >= NEW_RUN_SECONDS
    backend.database.close()
