"""The page of the space that one's files take: by task, the largest runs and uploads, and how they are deleted."""

from jobs.runs.backend import Backend
from jobs.runs.file_ownership import note_uploads
from jobs.runs.run import State
from jobs.storage.database import utcnow
from jobs.values.stored_file import RunFile
from tests.support.people import make_run, note_file, owner_id
from tests.support.visitor import Visitor, soup, the


def sent(backend: Backend, owner: int, content: bytes, name: str) -> RunFile:
    file = RunFile(*backend.files.put(content), name, "text/plain")
    note_uploads(backend.database, owner, [file], 10**9)
    return file


def test_one_sees_what_takes_space_and_deletes_it(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    assert "You have no files." in ada.get("/account/space").text
    me, other = owner_id(backend, ada.email), owner_id(backend, ben.email)
    small, large, theirs = (
        make_run(backend, owner, task, state=State.SUCCEEDED, ended_at=utcnow()).id
        for owner, task in ((me, "reverse_text"), (me, "factorise"), (other, "factorise"))
    )
    for run_id, size in ((small, 1000), (large, 3000), (theirs, 9000)):
        note_file(backend, run_id, b"x" * size)
    upload = sent(backend, me, b"u" * 500, "<b>unused.txt")
    sent(backend, me, b"x" * 1000, "used.txt")
    sent(backend, other, b"u" * 800, "bens.txt")
    assert "/account/space" in ada.get("/account").text
    page = soup(ada.get("/account/space"))
    assert "Your files take 4.5 kB of " in the(page, ".lead").text
    lists = [[" ".join(one.text.split()) for one in found.select("li")] for found in page.select(".accounts")]
    assert lists == [
        ["Factorise3 kB in 1 run", "Reverse text1 kB in 1 run"],
        [f"Factorise #{large}3 kB", f"Reverse text #{small}1 kB"],
        ["<b>unused.txt 500 bytes Delete <b>unused.txt"],
    ]
    preview = ada.get("/runs/bulk", query_string={"run": ["0", str(large)], "action": "delete"})
    assert the(soup(preview), "h1").text == "Delete 1 run?"
    assert "No runs fit" in ada.get("/runs/bulk?run=0&action=delete").text, "none was chosen"
    path = f"/account/space/uploads/{upload.sha256}/delete"
    assert ben.post(path).status_code == 303
    assert "unused.txt" in ada.get("/account/space").text
    assert ada.post(path).status_code == ada.post(path).status_code == 303
    page = soup(ada.get("/account/space"))
    assert "unused.txt" not in page.text
    assert "Your files take 4 kB of " in the(page, ".lead").text
