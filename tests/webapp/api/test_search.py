"""The search by programs, in the words of the history."""

from urllib.parse import urlencode

from werkzeug.test import TestResponse

from jobs.runs import run_text
from jobs.runs.backend import Backend
from tests.support.people import make_run, owner_id
from tests.support.program import Program
from webapp.accounts import tokens
from webapp.accounts.tokens import Grant


def asked(program: Program, **query: str) -> TestResponse:
    return program.get(f"/runs?{urlencode(query)}")


def test_a_program_searches_as_a_person_does(program: Program, backend: Backend) -> None:
    me, runs = owner_id(backend, "ada@example.com"), []
    for number in range(5):
        runs.append(make_run(backend, me, parameters={"text": "hello", "times": number}))
        with backend.database.write() as session:
            run_text.add(session, runs[-1])

    def found(**query: str) -> list[int]:
        return [one["id"] for one in asked(program, **query).get_json()["runs"]]

    assert found(q="input.times:3 since:1h") == found(q="hello input.times:3", task="reverse_text") == [runs[3].id]
    page = asked(program, q="hello", limit="2", before=str(runs[4].id))
    assert [one["id"] for one in page.get_json()["runs"]] == [runs[3].id, runs[2].id]
    assert page.get_json()["searched_back_to"] is None
    following, previous = page.headers["Link"].split(", ")
    assert following == f'</api/v1/runs?q=hello&limit=2&before={runs[2].id}>; rel="next"'
    assert previous == f'</api/v1/runs?q=hello&limit=2&after={runs[3].id}>; rel="prev"'
    assert found(q="hello", limit="2", after=str(runs[3].id)) == [runs[4].id, runs[3].id]
    for query, words in (
        ({"q": "colour:red"}, "no such filter"),
        ({"q": "task:reverse_text", "task": "reverse_text"}, "not both"),
        ({"before": "1", "after": "1"}, "not both"),
    ):
        response = asked(program, **query)
        assert (response.status_code, response.mimetype) == (400, "application/problem+json")
        assert words in response.get_json()["detail"]


def test_a_token_for_some_tasks_searches_these(program: Program, backend: Backend) -> None:
    me = owner_id(backend, "ada@example.com")
    _token, secret = tokens.create(backend.database, me, Grant("one", tasks=("factorise",)))
    limited = Program(program.client.application, secret)
    for query, code in (("", 403), ("task:reverse_text", 403), ("task:factorise", 200)):
        assert asked(limited, q=query).status_code == code
