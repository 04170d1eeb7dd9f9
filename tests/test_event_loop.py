"""The web server's event loop: while one request waits, others are answered."""

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from tests.support.person import Person
from tests.support.stack import Stack
from webapp.accounts.users import Account


def test_a_request_that_waits_for_the_database_holds_up_nobody(stack: Stack) -> None:
    email = f"ada{time.time_ns()}@example.com"
    ada, backend = Person(stack.url, email), stack.backend()
    with ThreadPoolExecutor() as threads:
        with backend.database.write() as session:
            session.scalars(select(Account).where(Account.email == email).with_for_update()).one()
            ending = threads.submit(ada.post, "/account/sessions/end")
            for _ in range(100):
                ada.get("/healthz")
            assert not ending.done(), "it waits for the row"
        assert ending.result() == "/account#sessions"
    backend.database.close()
