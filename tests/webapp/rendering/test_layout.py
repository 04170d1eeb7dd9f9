from dataclasses import replace

from jobs.runs.backend import Backend
from tests.support.visitor import Visitor
from webapp import create_app


def test_the_application_has_the_name_that_it_is_given(backend: Backend) -> None:
    settings = backend.settings.model_copy(update={"app_name": "Parcel <Desk>"})
    page = Visitor(create_app(replace(backend, settings=settings))).get("/login").text
    assert "· Parcel &lt;Desk&gt;</title>" in page
    assert '<span class="brand__name">Parcel &lt;Desk&gt;</span></a>' in page
    assert "Dumbwaiter" not in page
