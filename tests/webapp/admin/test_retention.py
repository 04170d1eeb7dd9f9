"""The page of retention: rules in words, what they would delete, and what users read on their runs."""

from datetime import timedelta

from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.runs import keeping


def test_an_administrator_sees_what_a_rule_would_delete_and_makes_it(
    boss: Visitor, ada: Visitor, backend: Backend
) -> None:
    me, old = owner_id(backend, ada.email), utcnow() - timedelta(days=100)
    for starred in (False, False, True):
        make_run(backend, me, state=State.SUCCEEDED, ended_at=old, starred=starred)
    assert "No rules yet" in boss.get("/admin/retention/").text
    page = soup(boss.get("/admin/retention/?preview=this&task=reverse_text&state=succeeded&days=90"))
    assert the(page, "[role=status]").text.startswith("This would delete 2 runs, about ")
    assert the(page, "[role=status]").text.endswith("with their files; 1 starred or shared one stays.")
    assert the(page, "#days")["value"] == "90"
    assert the(page, "#task [selected]")["value"] == "reverse_text"
    form = {"task": "reverse_text", "state": "succeeded", "days": "90", "runs": "1000", "megabytes": "500"}
    assert boss.post("/admin/retention/", form).status_code == 303
    page = soup(boss.get("/admin/retention/?preview=all"))
    words = " ".join(the(page, ".accounts strong").text.split())
    assert words == (
        "Reverse text, succeeded: delete runs that ended more than 90 days ago, all but the newest 1,000 of each user, "
        "the oldest while a user’s runs and files take more than 500 MB"
    )
    assert "2 runs" in the(page, "[role=status]").text
    button = the(page, ".accounts form")
    assert boss.post(str(button["action"])).status_code == 303
    assert boss.post(str(button["action"])).status_code == 303, "it is gone"
    assert "No rules yet" in boss.get("/admin/retention/").text


def test_what_is_no_rule_is_refused_at_its_field(boss: Visitor) -> None:
    cases: tuple[tuple[dict[str, str], str, str], ...] = (
        ({}, "days", "at least one limit"),
        ({"days": "0"}, "days", "whole number from 1"),
        ({"runs": "-3"}, "runs", "whole number from 1"),
        ({"megabytes": "9" * 30}, "megabytes", "whole number from 1"),
        ({"days": "9", "task": "no\x00ne"}, "task", "no such task"),
        ({"days": "9", "state": "queued"}, "state", "have ended"),
    )
    for form, field, words in cases:
        for response in (
            boss.post("/admin/retention/", form),
            boss.get("/admin/retention/", query_string={**form, "preview": "this"}),
        ):
            assert words in the(soup(response), f"#{field}-error").text, form
    assert "No rules yet" in boss.get("/admin/retention/").text


def test_a_user_reads_on_a_run_until_when_it_is_kept(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    ended_at = utcnow() - timedelta(days=10)
    run_id = make_run(backend, owner_id(backend, ada.email), state=State.FAILED, ended_at=ended_at).id

    def kept() -> str:
        ada.client.application.extensions["keeping"] = keeping.Memory()
        page = soup(ada.get(f"/runs/{run_id}"))
        names = [dt.text for dt in page.select(".run-full__facts dt")]
        return " ".join(page.select(".run-full__facts dd")[names.index("Kept")].text.split()) if "Kept" in names else ""

    assert kept() == ""
    boss.post("/admin/retention/", {"task": "factorise", "days": "5"})
    assert kept() == ""
    boss.post("/admin/retention/", {"days": "90", "runs": "100"})
    assert kept() == (
        f"Until {ended_at + timedelta(days=90):%Y-%m-%d %H:%M:%S} UTC. Until 100 newer runs follow. "
        "Star or share it to keep it."
    )
    ada.post(f"/runs/{run_id}/star", {"starred": "yes"})
    assert kept() == "As long as it is starred"
