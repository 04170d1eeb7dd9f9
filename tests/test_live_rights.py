"""Open pages of people whose rights change."""

from urllib.error import HTTPError

import pytest
from sqlalchemy import delete, update

from jobs.runs import Parts, Role, Run, State, events, groups, shares
from jobs.runs.lease import Change
from jobs.storage import utcnow
from tests.support.people import make_run, owner_id
from tests.support.person import Person, receive_until, receives_nothing, shows
from tests.support.stack import Stack
from tests.support.waiting import PATIENCE_SECONDS
from tests.test_live import close_code
from webapp.accounts import users
from webapp.live.socket import OTHER_RIGHTS


def connecting(person: Person, page: str) -> str:
    """Return the query string with which a page connects."""
    live = person.get(page).select_one("#live")
    assert live is not None
    return f"?{str(live['hx-ws:connect']).partition('?')[2]}"


def test_an_open_page_is_sent_away_once_its_owner_loses_a_right(stack: Stack, ada: Person, ben: Person) -> None:
    backend = stack.backend()
    ada_id, ben_id = (owner_id(backend, person.email) for person in (ada, ben))
    group = groups.create(backend.database, f"group of {ada.email}").id
    groups.add_member(backend.database, group, ada_id)
    query, other = connecting(ada, "/tasks/reverse_text"), connecting(ben, "/")
    try:
        with ada.socket(query) as socket, ben.socket(other) as theirs:
            socket.recv(timeout=PATIENCE_SECONDS)
            groups.set_for_task(backend.database, "factorise", [group])
            assert close_code(theirs) == OTHER_RIGHTS, "the periodic check notices it"
            assert receives_nothing(socket), "nothing is closed to her"
            groups.remove_member(backend.database, group, ada_id)
            events.publish_rights(backend.redis, ada_id)
            assert close_code(socket) == OTHER_RIGHTS, "an event says it"
        assert connecting(ada, "/tasks/reverse_text") != query
        with pytest.raises(HTTPError) as refused:
            ada.get("/tasks/factorise")
        assert refused.value.code == 404
        users.set_role(backend.database, ben_id, Role.VIEWER)
        with ben.socket(connecting(ben, "/")) as socket:
            socket.recv(timeout=PATIENCE_SECONDS)
            assert receives_nothing(socket), "a page that was made with these rights stays"
    finally:
        groups.set_for_task(backend.database, "factorise", None)
        backend.database.close()


def test_a_page_of_a_shared_run_is_live_until_it_is_not_shared_any_more(stack: Stack, ada: Person, ben: Person) -> None:
    backend = stack.backend()
    ada_id, ben_id = (owner_id(backend, person.email) for person in (ada, ben))
    group = groups.create(backend.database, f"friends of {ada.email}").id
    groups.add_member(backend.database, group, ben_id)
    run = make_run(backend, ada_id, task="unknown", state=State.RUNNING, started_at=utcnow())
    page = f"/runs/{run.id}"
    try:
        shares.with_group(backend, ada_id, run.id, group, Parts(log=True))
        query = connecting(ben, page)
        with ben.socket(query) as socket:
            socket.recv(timeout=PATIENCE_SECONDS)
            with backend.database.write() as session:
                session.execute(update(Run).where(Run.id == run.id).values(progress=0.5, version=run.version + 1))
            events.publish(backend.redis, Change(run.id, ada_id, run.version + 1))
            (frame,) = receive_until(socket, shows(run.id, "running"))
            assert "50 %" in frame
            assert "Not shared" in frame, "her parameters"
            other = ada.submit("reverse_text", text="hidden")
            assert receives_nothing(socket), "her other runs, and that they end"
            assert other
            groups.remove_member(backend.database, group, ben_id)
            assert close_code(socket) == OTHER_RIGHTS, "the periodic check notices it"
        with ben.socket(query) as socket:
            assert close_code(socket) == OTHER_RIGHTS, "a page that was made before does not come back"
        with pytest.raises(HTTPError) as refused:
            ben.get(page)
        assert refused.value.code == 404
        share = shares.with_person(backend, ada_id, run.id, ben.email, Parts(parameters=True))
        with ben.socket(connecting(ben, page)) as socket, ada.socket(connecting(ada, page)) as own:
            socket.recv(timeout=PATIENCE_SECONDS)
            own.recv(timeout=PATIENCE_SECONDS)
            shares.with_person(backend, ada_id, run.id, ben.email, Parts())
            assert close_code(socket) == OTHER_RIGHTS, "it loads itself again without the parameters"
            assert receives_nothing(own)
        with ben.socket(connecting(ben, page)) as socket:
            socket.recv(timeout=PATIENCE_SECONDS)
            shares.revoke(backend, share.id)
            assert close_code(socket) == OTHER_RIGHTS
    finally:
        with backend.database.write() as session:
            session.execute(delete(Run).where(Run.id == run.id))
        groups.remove(backend.database, group)
        backend.database.close()
