"""Open pages of people whose rights change."""

from urllib.error import HTTPError

import pytest

from jobs.runs import Role, events, groups
from tests.support.people import owner_id
from tests.support.person import Person, receives_nothing
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
