"""Groups, and the tasks that are for them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from jobs.runs import groups
from jobs.runs.backend import Backend
from jobs.runs.people import Role
from tests.support.people import owner_id
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import users

TASK = "/tasks/reverse_text"


def become(backend: Backend, visitor: Visitor, role: Role, *of: int) -> int:
    """Give a visitor a role and groups, and return their id."""
    user_id = owner_id(backend, visitor.email)
    users.set_role(backend.database, user_id, role)
    with backend.database.write() as session:
        groups.set_groups_of(session, user_id, of)
    return user_id


def test_an_administrator_makes_a_group_and_a_task_is_for_it_alone(
    boss: Visitor, ada: Visitor, ben: Visitor, backend: Backend
) -> None:
    made = boss.post("/admin/groups/", {"name": "  finance  team "})
    group = made.headers["Location"]
    assert boss.post(f"{group}/members", {"email": "Ada@example.com "}).status_code == 303
    assert [one.text for one in soup(boss.get(group)).select(".accounts strong")] == [ada.email]
    page = soup(boss.get("/admin/tasks/reverse_text"))
    assert the(page, "input[name=who][checked]")["value"] == "file"
    chosen = str(the(page, "input[name=group]")["value"])
    assert boss.post("/admin/tasks/reverse_text/groups", {"who": "groups", "group": chosen}).status_code == 303
    assert "For finance team, as chosen here" in boss.get("/admin/tasks/").text
    assert [who.get(TASK).status_code for who in (ada, ben, boss)] == [200, 404, 200]
    assert "reverse_text" not in ben.get("/").text
    assert boss.post(f"{group}/members/{owner_id(backend, ada.email)}/remove").status_code == 303
    assert ada.get(TASK).status_code == 404
    refused = boss.post(f"{group}/delete")
    assert (refused.status_code, "reverse_text" in refused.text) == (409, True)
    boss.post("/admin/tasks/reverse_text/groups", {"who": "file"})
    assert boss.post(f"{group}/delete").status_code == 303
    assert [who.get(TASK).status_code for who in (ada, ben, boss)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("path", "form", "status", "words"),
    [
        ("/admin/groups/", {"name": " "}, 422, "Enter a name"),
        ("/admin/groups/", {"name": "sales"}, 422, "There is a group with this name"),
        ("/admin/groups/1/name", {"name": "sales"}, 422, "There is a group with this name"),
        ("/admin/groups/1/name", {"name": "x" * 101}, 422, "up to 100 characters"),
        ("/admin/groups/1/members", {"email": "nobody@example.com"}, 422, "No user has this address"),
        ("/admin/groups/1/members/999/remove", {}, 404, "no such member"),
        ("/admin/groups/99/name", {"name": "x"}, 404, "no such group"),
        ("/admin/tasks/reverse_text/groups", {"who": "groups"}, 422, "Choose at least one group"),
        ("/admin/tasks/reverse_text/groups", {}, 422, "Choose who may use the task"),
        ("/admin/tasks/none/groups", {"who": "file"}, 404, "no such task"),
    ],
)
def test_what_cannot_be_is_explained(
    boss: Visitor, backend: Backend, path: str, form: dict[str, str], status: int, words: str
) -> None:
    for name in ("finance", "sales"):
        groups.create(backend.database, name)
    response = boss.post(path, form)
    assert response.status_code == status
    assert words in response.text


def test_a_group_is_renamed(boss: Visitor, backend: Backend) -> None:
    group = groups.create(backend.database, "finance").id
    assert boss.post(f"/admin/groups/{group}/name", {"name": "Accounts"}).status_code == 303
    assert "Accounts" in boss.get("/admin/groups/").text


def test_a_manager_adds_and_removes_members_of_their_groups_only(
    app: Flask, boss: Visitor, ada: Visitor, ben: Visitor, backend: Backend
) -> None:
    finance, sales = (groups.create(backend.database, name).id for name in ("finance", "sales"))
    become(backend, ada, Role.MANAGER, finance)
    ben_id, boss_id = owner_id(backend, ben.email), owner_id(backend, boss.email)
    assert [one.text for one in soup(ada.get("/admin/groups/")).select(".accounts strong")] == ["finance"]
    mine, other = f"/admin/groups/{finance}", f"/admin/groups/{sales}"
    assert ada.post(f"{mine}/members", {"email": ben.email}).status_code == 303
    assert ben.email in ada.get(mine).text
    assert ada.post(f"{mine}/members/{ben_id}/remove").status_code == 303
    assert groups.of_person(backend.database, ben_id) == {}
    for address in (other, "/admin/groups/99"):
        assert ada.get(address).status_code == 404
        assert ada.post(f"{address}/members", {"email": ben.email}).status_code == 404
    assert ada.post(f"{mine}/members", {"email": boss.email}).status_code == 422
    groups.add_member(backend.database, finance, boss_id)
    assert ada.post(f"{mine}/members/{boss_id}/remove").status_code == 403
    for address in ("/admin/groups/", f"{mine}/name", f"{mine}/delete"):
        assert ada.post(address, {"name": "x"}).status_code == 403
    assert ada.get("/admin/users/").status_code == ada.get("/admin/tasks/").status_code == 403
    become(backend, ada, Role.MEMBER, finance)
    assert ada.get(mine).status_code == 403


def test_a_viewer_sees_a_task_and_runs_nothing(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="abc")
    become(backend, ada, Role.VIEWER)
    page = soup(ada.get(TASK))
    assert not page.select("#task-form")
    assert "as a viewer" in the(page, ".missing").text
    assert ada.post(f"{TASK}/check", {"text": "abc"}).status_code == 403
    refused = ada.post(TASK, {"text": "abc"})
    assert (refused.status_code, "viewers run no tasks" in refused.text) == (403, True)
    assert ada.get(f"/runs/{run_id}").status_code == 200
    assert ada.post(f"/runs/{run_id}/cancel").status_code == 303
    assert "You may not run this task any more" in ada.get(f"/runs/{run_id}").text
    assert ada.post(f"/runs/{run_id}/retry").status_code == 409


def test_an_old_run_of_a_task_that_is_not_mine_any_more_stays_mine(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="abc")
    ada.post(f"/runs/{run_id}/cancel")
    groups.set_for_task(backend.database, "reverse_text", [99])
    page = soup(ada.get(f"/runs/{run_id}"))
    assert not page.select("a[href='/tasks/reverse_text'], form[action$=retry]")
    assert ada.post(f"/runs/{run_id}/retry").status_code == 409
    history = soup(ada.get("/runs"))
    assert [str(one["value"]) for one in history.select("optgroup option")] == ["reverse_text"]
    assert ada.post(f"/runs/{run_id}/delete").status_code == 303


def test_a_page_that_polls_loads_itself_again_when_rights_change(ada: Visitor, backend: Backend) -> None:
    address = str(the(soup(ada.get("/")), "#live-poll")["hx-get"])
    assert ada.get(address).status_code != 205
    become(backend, ada, Role.VIEWER)
    assert ada.get(address).status_code == 205


def test_the_rule_that_decides_is_named(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    ada_id = owner_id(backend, ada.email)
    finance = groups.create(backend.database, "finance").id

    def said() -> str:
        of_task = the(soup(boss.get(f"/admin/tasks/reverse_text?user={ada.email}")), "p[role=status]").text
        of_user = the(soup(boss.get(f"/admin/users/{ada_id}?task=reverse_text")), "p[role=status]").text
        assert of_task == of_user
        return of_user

    assert "sees Reverse text, because it is for everybody, as its file says" in said()
    groups.set_for_task(backend.database, "reverse_text", [finance])
    assert "does not see Reverse text, because it is for finance" in said()
    assert "the user is in no group" in said()
    become(backend, ada, Role.VIEWER, finance)
    assert "the user is in finance. They cannot run it, because viewers run nothing." in said()
    become(backend, ada, Role.ADMINISTRATOR)
    assert "administrators see and run every task" in said()
    users.set_active(backend.database, ada.email, False)
    assert "the account is disabled" in said()
    assert "No user has this address" in boss.get("/admin/tasks/reverse_text?user=nobody@example.com").text


def test_role_and_groups_are_chosen_on_a_users_page_and_in_an_invitation(
    app: Flask, boss: Visitor, ada: Visitor, backend: Backend
) -> None:
    finance, sales = (groups.create(backend.database, name).id for name in ("finance", "sales"))
    ada_id = owner_id(backend, ada.email)
    assert boss.post(f"/admin/users/{ada_id}/role", {"role": "manager"}).status_code == 303
    assert boss.post(f"/admin/users/{ada_id}/role", {"role": "king"}).status_code == 422
    boss.post(f"/admin/users/{ada_id}/groups", {"group": [str(finance), "99", "x"]})
    page = soup(boss.get(f"/admin/users/{ada_id}"))
    assert [str(one["value"]) for one in page.select("input[checked]")] == ["manager", str(finance)]
    invited = {"email": "vera@example.com", "role": "viewer", "group": [str(finance), str(sales)]}
    page = soup(boss.post("/admin/users/invitations", invited))
    assert "Viewer in finance, sales" in the(page, ".invitations li").text
    link = the(page, ".tokens__secret").text
    secret = link.rpartition("=")[2]
    vera = Visitor(app)
    assert vera.post("/register", {"invitation": secret, "password": PASSWORD}).status_code == 303
    vera_id = owner_id(backend, "vera@example.com")
    assert groups.of_person(backend.database, vera_id) == {finance: "finance", sales: "sales"}
    assert vera.post(TASK, {"text": "abc"}).status_code == 403


def test_the_last_administrator_neither_steps_down_nor_leaves(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    boss_id, ada_id = owner_id(backend, boss.email), owner_id(backend, ada.email)
    refused = boss.post("/account/delete", {"confirmation": PASSWORD})
    assert (refused.status_code, "You are the only administrator" in refused.text) == (409, True)
    assert boss.post(f"/admin/users/{boss_id}/role", {"role": "member"}).status_code == 409
    with pytest.raises(users.LastAdministrator):
        users.set_role(backend.database, boss_id, Role.MANAGER)
    users.set_role(backend.database, ada_id, Role.ADMINISTRATOR)
    users.set_active(backend.database, ada.email, False)
    assert boss.post("/account/delete", {"confirmation": PASSWORD}).status_code == 409, (
        "one who is disabled does not count"
    )
    users.set_active(backend.database, ada.email, True)
    assert boss.post("/account/delete", {"confirmation": PASSWORD}).status_code == 303


def test_of_two_administrators_who_leave_at_once_one_stays(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    users.set_admin(backend.database, ada.email, True)

    def leaves(visitor: Visitor) -> bool:
        try:
            users.resign(backend.database, owner_id(backend, visitor.email))
        except users.LastAdministrator:
            return False
        return True

    with ThreadPoolExecutor() as threads:
        assert sorted(threads.map(leaves, (boss, ada))) == [False, True]
