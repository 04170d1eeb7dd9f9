"""A task's page: the form, submitting with and without JavaScript, and errors that lose nothing."""

import re
from typing import Annotated

import pytest
from pydantic import AfterValidator

from jobs import task
from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import Run, State
from tests.support.people import read
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app

HTMX = {"HX_Request": "true"}


def test_the_start_page_offers_every_task(ada: Visitor, backend: Backend) -> None:
    links = {link["href"] for link in soup(ada.get("/")).select(".task__title")}
    assert links == {f"/tasks/{name}" for name in backend.catalog}


def test_an_unknown_task_is_not_found(ada: Visitor) -> None:
    assert ada.get("/tasks/nothing").status_code == 404
    assert ada.post("/tasks/nothing").status_code == 404


def test_a_plain_form_leads_to_the_runs_page(ada: Visitor, backend: Backend) -> None:
    response = ada.post("/tasks/reverse_text", {"text": "hello"})
    assert response.status_code == 303
    page = soup(ada.get(response.headers["Location"]))
    (run,) = page.select("[data-state]:not(#live)")
    assert (run["id"], run["data-state"], run["data-version"]) == ("run-1", "queued", "1")
    with backend.database.read() as session:
        kept = session.get_one(Run, 1)
    assert (kept.parameters, kept.state) == ({"text": "hello"}, State.QUEUED)


def test_htmx_gets_the_new_runs_fragment_for_the_top_of_the_list(ada: Visitor) -> None:
    response = ada.post("/tasks/reverse_text", {"text": "hello"}, **HTMX)
    assert response.status_code == 200
    assert (response.headers["HX-Retarget"], response.headers["HX-Reswap"]) == ("#runs-list", "afterbegin")
    (run,) = soup(response).select("#run-1")
    assert (run["data-state"], run["data-version"]) == ("queued", "1")


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_bad_input_is_refused_at_the_field_with_the_values_kept(ada: Visitor, headers: dict[str, str]) -> None:
    response = ada.post("/tasks/random_number", {"minimum": "10", "maximum": "5"}, **headers)
    assert response.status_code == 422
    page = soup(response)
    assert [error["id"] for error in page.select(".field__error")] == ["maximum-error"]
    assert "must not be smaller" in the(page, "#maximum-error").text
    assert the(page, "#maximum-input")["aria-invalid"] == "true"
    assert the(page, "#maximum-error").parent is the(page, f"#{the(page, '#maximum-input')['aria-describedby']}")
    assert [the(page, f"#{name}-input")["value"] for name in ("minimum", "maximum")] == ["10", "5"]
    assert bool(page.select_one("html")) is not bool(headers), "htmx gets the form, a browser the page"


def test_a_refused_form_makes_no_run(ada: Visitor) -> None:
    ada.post("/tasks/reverse_text", {"text": ""})
    assert soup(ada.get("/runs")).select(".run") == []


def test_the_form_takes_over_the_parameters_of_an_earlier_run(ada: Visitor, ben: Visitor) -> None:
    run_id = ada.submit("random_number", minimum="3", maximum="7")
    link = the(soup(ada.get(f"/runs/{run_id}")), ".run-full__actions a[href*='?run=']")["href"]
    assert the(soup(ada.get(str(link))), "#minimum-input")["value"] == "3"
    assert the(soup(ben.get(str(link))), "#minimum-input")["value"] == "1", "of one's own runs only"
    assert ada.get(f"/tasks/reverse_text?run={run_id}").status_code == 200


def test_text_that_looks_like_html_stays_text(ada: Visitor) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    ada.submit("reverse_text", text=evil)
    for path in ("/", "/tasks/reverse_text", "/runs", "/runs/1"):
        page = soup(ada.get(path))
        assert page.select("main script, main img") == []
        assert "<script>alert(1)" in the(page, "#run-1").text


def test_line_breaks_count_as_one_character(ada: Visitor, backend: Backend) -> None:
    assert ada.post("/tasks/reverse_text", {"text": "\r\n" * 1000}).status_code == 303
    assert ada.post("/tasks/reverse_text", {"text": "\r\n" * 1001}).status_code == 422


def test_a_submit_answers_before_redis_does(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    assert read(backend, Run(id=run_id)).state is State.QUEUED


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_an_example_is_filled_in_and_nothing_is_run(ada: Visitor, headers: dict[str, str]) -> None:
    button = the(soup(ada.get("/tasks/random_number")), "#task-example")
    sent = {str(button["name"]): button["value"], "minimum": "5", "maximum": "nonsense"}
    page = soup(ada.post("/tasks/random_number", sent, **headers))
    assert [the(page, f"#{name}-input")["value"] for name in ("minimum", "maximum")] == ["1", "6"]
    assert bool(page.select_one("html")) is not bool(headers), "htmx gets the form, a browser the page"
    assert soup(ada.get("/runs")).select(".run") == []


@task
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


def test_a_task_without_an_example_offers_none_and_survives_being_asked(backend: Backend) -> None:
    app = create_app(open_backend(backend.settings, catalog_of(shout)))
    ada = Visitor(app).registered("ada@example.com")
    assert not soup(ada.get("/tasks/shout")).select("#task-example")
    assert ada.post("/tasks/shout", {"_example": "1"}).status_code == 200


def shorter(text: str) -> str:
    return text.replace("aa", "a")


def known(text: str) -> str:
    return {"yes": "y", "y": "y"}[text]


@task
def picky(
    text: Annotated[str, AfterValidator(shorter)] = "", word: Annotated[str, AfterValidator(known)] = "yes"
) -> str:
    """Take some values only."""
    return text + word


@pytest.mark.parametrize(
    ("posted", "words"),
    [
        ({"text": "aaaa", "word": "yes"}, "This task changes these values when it reads them again."),
        ({"text": "a", "word": "s3cret"}, "A check of these values failed with KeyError."),
    ],
)
def test_a_value_that_breaks_a_validator_is_refused_in_words(
    backend: Backend, caplog: pytest.LogCaptureFixture, posted: dict[str, str], words: str
) -> None:
    app = create_app(open_backend(backend.settings, catalog_of(picky)))
    ada = Visitor(app).registered("ada@example.com")
    response = ada.post("/tasks/picky", posted)
    assert response.status_code == 422
    assert words in the(soup(response), ".problems__title").text
    assert the(soup(response), "#text-input")["value"] == posted["text"]
    assert re.search(r"test_tasks\.py:\d+: ", caplog.text)
    assert "s3cret" not in caplog.text
    assert ada.post("/tasks/picky", {"text": "a", "word": "yes"}).status_code == 303


def test_an_example_is_for_who_is_signed_in(visitor: Visitor) -> None:
    assert visitor.post("/tasks/random_number", {"_example": "1"}).status_code == 303
