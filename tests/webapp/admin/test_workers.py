"""The page of workers: who is alive, what they do, and draining them."""

from datetime import timedelta

from sqlalchemy import update

from jobs.runs import heartbeats, lease
from jobs.runs.backend import Backend
from jobs.runs.heartbeats import WorkerRow
from jobs.runs.predictions import Prediction
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the


def test_an_administrator_sees_what_each_worker_does(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    database = backend.database
    assert "No worker has been seen" in boss.get("/admin/workers/").text
    assert "Nothing to compare yet" in the(soup(boss.get("/admin/workers/")), "#hit-rate").text
    for name in ("busy", "mine", "idle", "lost"):
        heartbeats.seen(database, name, idle_since=utcnow() - timedelta(minutes=5))
    runs = [make_run(backend, owner_id(backend, one.email), "factorise") for one in (ada, boss)]
    for run, name in zip(runs, ("busy", "mine"), strict=True):
        assert lease.claim(database, run.id, name)
    with database.write() as session:
        lost = update(WorkerRow).where(WorkerRow.name == "lost").values(seen_at=utcnow() - timedelta(minutes=2))
        session.execute(lost)
    page = soup(boss.get("/admin/workers/"))
    assert f"#{runs[0].id} of {ada.email}" in the(page, "#worker-busy").text
    assert not page.select(f'a[href="/runs/{runs[0].id}"]'), "she may not open what is not hers"
    assert page.select(f'#worker-mine a[href="/runs/{runs[1].id}"]')
    assert "Idle for 5 min 0 s" in the(page, "#worker-idle").text
    assert "Not seen since" in the(page, "#worker-lost").text


def test_an_administrator_reads_how_many_predictions_come_true(boss: Visitor, backend: Backend) -> None:
    runs = [make_run(backend, owner_id(backend, boss.email)) for _each in range(3)]
    for run, until in zip(runs, (9, 9, -9), strict=True):
        with backend.database.write() as session:
            earliest, latest = utcnow() - timedelta(seconds=10), utcnow() + timedelta(seconds=until)
            session.add(Prediction(run_id=run.id, earliest=earliest, latest=latest))
        assert lease.claim(backend.database, run.id, "worker")
    words = the(soup(boss.get("/admin/workers/")), "#hit-rate").text
    assert "2 of the latest 3 runs that had to wait, 67 %, started within" in words


def test_a_drained_worker_says_by_whom_until_it_is_resumed(boss: Visitor, backend: Backend) -> None:
    heartbeats.seen(backend.database, "one")
    for verb in ("drain", "resume"):
        assert boss.post(f"/admin/workers/two/{verb}").status_code == 404
    assert boss.post("/admin/workers/one/drain").status_code == 303
    assert "drained by boss@example.com" in the(soup(boss.get("/admin/workers/")), "#worker-one").text
    form = the(soup(boss.get("/admin/workers/")), "#worker-one form")
    assert boss.post(str(form["action"])).status_code == 303
    assert "drained" not in the(soup(boss.get("/admin/workers/")), "#worker-one").text
