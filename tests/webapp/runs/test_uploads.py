"""Files that come with a form: taken, refused at their field, and kept with a refused form."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from flask import Flask
from pydantic import AfterValidator
from sqlalchemy import func, select

from jobs import File, FileField, task
from jobs.runs.backend import Backend
from jobs.runs.run_files import RunFileRow
from jobs.runs.uploads import Upload
from tests.support import uploading
from tests.support.html_form import sent_by
from tests.support.people import execute, read
from tests.support.raw_upload import END, head_of, text
from tests.support.serving import catalog_of
from tests.support.stored_files import hashes_in
from tests.support.uploading import cramped, error, file, good, run_of, send
from tests.support.visitor import ORIGIN, Visitor, soup, the
from webapp.current import put_backend


@pytest.fixture(autouse=True)
def small(app: Flask, backend: Backend) -> Backend:
    return cramped(app, backend)


def test_the_form_has_inputs_for_files_and_says_how_it_is_sent(ada: Visitor) -> None:
    form = the(soup(ada.get("/tasks/bind")), "#task-form")
    assert form["enctype"] == "multipart/form-data"
    cover, pages = the(form, "#cover-input"), the(form, "#pages-input")
    assert (cover["type"], cover["accept"], cover.has_attr("required")) == ("file", ".png,text/plain", True)
    assert (pages.has_attr("multiple"), pages.has_attr("required"), cover.has_attr("multiple")) == (True, False, False)
    assert not the(soup(ada.get("/tasks/plain")), "#task-form").has_attr("enctype")


@pytest.mark.both_stores
def test_a_run_has_its_files_and_its_task_reads_them(ada: Visitor, small: Backend) -> None:
    content = bytes(range(256)) * 300
    response = send(ada, good(pages=[file(content, "1.bin"), file(b"", "2.bin")], index=file(b"i", "")))
    run = run_of(small, response)
    assert run.parameters["index"] is None, "a file without a name is none"
    assert [page["$file"]["name"] for page in run.parameters["pages"]] == ["1.bin", "2.bin"]
    execute(small, run.id)
    assert read(small, run).result == [4, len(content), 0]
    page = soup(ada.get(f"/runs/{run.id}"))
    links = page.select(".given-file__name")
    assert [link.text for link in links] == ["a.txt", "1.bin", "2.bin"]
    assert ada.get(str(links[1]["href"])).data == content


@pytest.mark.both_stores
def test_a_refused_form_keeps_its_files_and_sends_what_refers_to_them(ada: Visitor, small: Backend) -> None:
    refused = send(ada, good(title="", pages=[file(b"1", "1.txt"), file(b"2", "2.txt")], index=file(b"i", "i.txt")))
    assert error(refused, "title")
    form = the(soup(refused), "#task-form")
    assert [one.text for one in form.select(".kept-file bdi")] == ["a.txt", "1.txt", "2.txt", "i.txt"]
    assert not the(form, "#cover-input").has_attr("required")
    again = sent_by(form)
    again["title"] = "y"
    again.setlist("pages", again.getlist("pages")[1:])  # the first one dropped
    data = {name: again.getlist(name) for name in again}
    run = run_of(small, send(ada, {**data, "cover": [*data["cover"], file(b"new", "b.txt")]}))
    assert run.parameters["cover"]["$file"]["name"] == "b.txt", "another one takes its place"
    assert [page["$file"]["name"] for page in run.parameters["pages"]] == ["2.txt"]
    execute(small, run.id)
    assert read(small, run).result == [3, 1, 1]


def test_a_row_that_is_added_keeps_the_files_that_came_with_it(ada: Visitor) -> None:
    response = send(ada, good(_change="add chapters", pages=[file(b"1", "1.txt")]))
    form = the(soup(response), "#task-form")
    assert (response.status_code, len(form.select(".kept-file"))) == (200, 2)
    sent = {**good(), "chapters": "0", "chapters.0.title": "One", "chapters.0.scan": file(b"s", "s.txt"), "title": ""}
    assert [one.text for one in soup(send(ada, sent)).select(".kept-file bdi")] == ["a.txt", "s.txt"]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"cover": file(b"x" * 10_001)}, "cover", "a.txt is larger than 0.01 MB. Choose a smaller file."),
        ({"cover": file(b"x", "a.pdf")}, "cover", "a.pdf is not an accepted type. Choose one of: .png, text/plain."),
        ({"cover": ""}, "cover", "Choose a file."),
        ({"pages": [file(b"x" * 100_001)]}, "pages", "a.txt is larger than 0.1 MB. Choose a smaller file."),
        (
            {"pages": [file(b"x" * 60_000), file(b"y" * 60_000, "b.txt")]},
            "pages",
            "The files in a form can total at most 0.1 MB. Send fewer or smaller files.",
        ),
        ({"pages": [file(b"x") for _ in range(201)]}, "pages", "A form can have at most 200 files. Send fewer."),
    ],
)
def test_what_cannot_be_taken_is_refused_at_its_field_with_the_values_kept(
    ada: Visitor, changes: dict[str, Any], name: str, words: str
) -> None:
    fresh = {key: renewed(value) for key, value in good(title="My title", index=file(b"i"), **changes).items()}
    response = send(ada, fresh)
    assert error(response, name) == words
    form = the(soup(response), "#task-form")
    assert the(form, "#title-input")["value"] == "My title"
    assert the(form, "#index-kept").text.split()[:2] == ["Keep", "a.txt"]


def renewed(value: Any) -> Any:
    """Return unread streams, because parameters are shared by all tests."""
    if isinstance(value, list):
        return [renewed(one) for one in value]
    return (io.BytesIO(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value


@pytest.mark.both_stores
def test_much_more_than_allowed_is_not_heard_out(ada: Visitor, small: Backend) -> None:
    assert send(ada, good(pages=[file(b"x" * 1_300_000)])).status_code == 413
    assert send(ada, good(title="x" * 1_100_000)).status_code == 413
    assert hashes_in(small) == []


def test_texts_have_their_limit_together_wherever_they_stand(ada: Visitor, small: Backend) -> None:
    texts = [text(f"more.{number}", "x" * 100_000) for number in range(11)]
    (before, after), end = (texts[:6], texts[6:]), b"--dumbwaiter--\r\n"
    in_the_middle = [head_of("cover", "a.txt"), b"x" * 10, b"\r\n"]
    for parts, code in ((texts[:9], 422), (texts, 413), ([*before, *in_the_middle, *after], 413)):
        body = {"data": b"".join([*parts, end]), "content_type": "multipart/form-data; boundary=dumbwaiter"}
        assert ada.client.post("/tasks/bind", headers=ORIGIN, **body).status_code == code
    assert hashes_in(small) == []


def test_a_file_that_is_too_large_for_its_field_takes_no_room_from_others(ada: Visitor) -> None:
    response = send(ada, good(cover=file(b"x" * 60_000), pages=[file(b"y" * 60_000, "b.txt")]))
    assert error(response, "cover") == "a.txt is larger than 0.01 MB. Choose a smaller file."
    assert [one.text for one in soup(response).select(".kept-file bdi")] == ["b.txt"]


@pytest.mark.both_stores
def test_a_file_for_no_field_is_not_kept(ada: Visitor, small: Backend) -> None:
    run_of(small, send(ada, good(nonsense=file(b"x" * 1000), title_=file(b"x"))))
    assert len(hashes_in(small)) == 1


@pytest.mark.parametrize(("change", "code"), [({}, 303), ({"_change": "add chapters"}, 200), ({"title": ""}, 422)])
def test_a_part_without_a_name_is_ignored(ada: Visitor, change: dict[str, str], code: int) -> None:
    nameless = b"--dumbwaiter\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
    nameless += b'--dumbwaiter\r\nContent-Disposition: form-data; filename="a.txt"\r\n\r\nx\r\n'
    texts = b"".join(text(name, value) for name, value in {"title": "x", **change}.items())
    body = nameless + texts + head_of("cover", "a.txt") + b"x" + END
    response = ada.client.post(
        "/tasks/bind", data=body, headers=ORIGIN, content_type="multipart/form-data; boundary=dumbwaiter"
    )
    assert response.status_code == code


def test_a_form_without_files_has_its_old_limit(ada: Visitor) -> None:
    options: dict[str, Any] = {"headers": ORIGIN, "content_type": "multipart/form-data"}
    data = {"text": "x", "file": file(b"x" * 1_100_000)}
    assert ada.client.post("/tasks/plain", data=data, **options).status_code == 413


def test_nobody_uploads_without_an_account_or_from_another_site(visitor: Visitor, ada: Visitor, small: Backend) -> None:
    assert send(visitor, good()).status_code == 303
    assert send(ada, good(), {"Origin": "https://elsewhere.example"}).status_code == 403
    assert hashes_in(small) == []


HOSTILE = (
    "../../etc/passwd",
    "a\x01b.txt",
    "invoice\u202efdp.txt",
    "x" * 300 + ".txt",
    "<script>alert(1)</script>.txt",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_harmless_wherever_it_is_shown(ada: Visitor, small: Backend, name: str) -> None:
    refused = send(ada, good(title="", cover=file(b"x", name.replace("passwd", "passwd.txt"))))
    form = the(soup(refused), "#task-form")
    data = sent_by(form)
    data["title"] = "y"
    run = run_of(small, send(ada, data.to_dict(flat=False)))
    kept = run.parameters["cover"]["$file"]["name"]
    assert re.fullmatch(r"[^/\\\x00-\x1f\u202e]{1,100}", kept)
    for path in (f"/runs/{run.id}", "/runs", f"/tasks/bind?run={run.id}"):
        page = ada.get(path)
        assert kept in soup(page).get_text() or "…" in soup(page).get_text()
        assert "<script>alert" not in page.text


@task
def sign(
    letter: Annotated[File, AfterValidator(lambda file: must_be_a_letter(file))],
    stamps: list[Annotated[File, FileField(accept=(".png",))]] = [],  # noqa: B006  # nothing changes it
    reply: Annotated[File | None, FileField(accept=(".txt",))] = None,
) -> str:
    """Refuse what is no letter."""
    return letter.name


def must_be_a_letter(file: File) -> File:
    if not file.name.startswith("letter"):
        raise ValueError("This is not a letter. Choose another file.")
    return file


def test_a_file_that_is_refused_is_not_kept_and_the_others_are(app: Flask, ada: Visitor, small: Backend) -> None:
    put_backend(app, replace(small, catalog=catalog_of(sign)))
    sent = {
        "letter": file(b"1", "bill.txt"),
        "stamps": [file(b"2", "a.png"), file(b"3", "b.gif"), file(b"4", "c.png")],
        "reply": file(b"5", "reply.pdf"),
    }
    response = ada.client.post("/tasks/sign", data=sent, headers=ORIGIN, content_type="multipart/form-data")
    assert error(response, "letter") == "This is not a letter. Choose another file."
    assert error(response, "stamps") == "b.gif is not an accepted type. Choose one of: .png."
    assert error(response, "reply") == "reply.pdf is not an accepted type. Choose one of: .txt."
    form = the(soup(response), "#task-form")
    assert [one.text for one in form.select(".kept-file bdi")] == ["a.png", "c.png"]
    assert the(form, "#letter-input").has_attr("required")
    again: dict[str, Any] = sent_by(form).to_dict(flat=False)
    again["letter"] = [file(b"6", "letter.txt")]
    response = ada.client.post("/tasks/sign", data=again, headers=ORIGIN, content_type="multipart/form-data")
    parameters = run_of(small, response).parameters
    assert [one["$file"]["name"] for one in parameters["stamps"]] == ["a.png", "c.png"]
    assert (parameters["letter"]["$file"]["name"], parameters["reply"]) == ("letter.txt", None)


@pytest.mark.both_stores
def test_a_body_that_is_no_form_is_refused_and_leaves_nothing(ada: Visitor, small: Backend) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="cover"; filename="a.txt"\r\n\r\n'
    for body in (b"nonsense", head + b"half a fi", head[:40], b"--x\r\n\r\n\r\n--x--", head + b"\r\n--x"):
        content_type = "multipart/form-data; boundary=x"
        response = ada.client.post("/tasks/bind", data=body, headers=ORIGIN, content_type=content_type)
        assert response.status_code == 400, body
    assert hashes_in(small) == []
    with small.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0
        assert session.scalar(select(func.count()).select_from(RunFileRow)) == 0


@pytest.fixture
def full_disk(small: Backend) -> Iterator[None]:
    """A folder in which nothing can be put."""
    new = small.settings.data_dir / "files" / "new"
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text("in the way")
    yield
    new.unlink()


@pytest.mark.usefixtures("full_disk")
def test_a_store_that_takes_nothing_is_reported_at_the_field(ada: Visitor) -> None:
    assert error(send(ada, good()), "cover").startswith("The file could not be saved.")


@pytest.mark.both_stores
def test_an_example_brings_its_files_with_it(ada: Visitor, small: Backend) -> None:
    form = the(soup(ada.post("/tasks/weigh", {"_example": "1"})), "#task-form")
    assert [one.text for one in form.select(".kept-file bdi")] == ["uploading.py"]
    sent = sent_by(form)
    run = run_of(small, ada.post("/tasks/weigh", {name: sent.getlist(name) for name in sent}))
    execute(small, run.id)
    assert read(small, run).result == 2 * Path(uploading.__file__).stat().st_size


def test_an_example_for_which_there_is_no_room_says_so(app: Flask, ada: Visitor, small: Backend) -> None:
    put_backend(app, replace(small, settings=small.settings.model_copy(update={"user_quota_mb": 0.001})))
    form = the(soup(ada.post("/tasks/weigh", {"_example": "1"})), "#task-form")
    assert "Storage limit reached" in the(form, "#book-error").text
    assert not form.select(".kept-file")
