"""The tasks that come along, all together; tests/test_memory.py runs the example of each."""

import pytest

from jobs.authoring.catalog import Catalog, load_catalog
from jobs.authoring.folders import OF_THE_PROJECT
from jobs.runs.backend import Backend, open_backend
from tests.support.people import execute
from tests.support.visitor import Visitor, soup, the
from tests.test_house import brought_in
from webapp import create_app


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([OF_THE_PROJECT])


def test_every_file_is_a_task(catalog: Catalog) -> None:
    files = {path.stem for path in OF_THE_PROJECT.glob("[!_]*.py")}
    assert set(catalog) == files > {"random_number", "reverse_text", "estimate_pi", "factorise"}


def test_every_task_has_an_example(catalog: Catalog) -> None:
    assert [name for name, one in catalog.items() if not one.example] == []


def test_every_task_bounds_its_memory(catalog: Catalog) -> None:
    assert [name for name, one in catalog.items() if not one.memory] == []


def test_tasks_import_what_is_large_only_when_they_run() -> None:
    """Every worker and every web server has all tasks: each would hold that memory, whichever are used."""
    load = "import config; from jobs.authoring import load_catalog; assert load_catalog(config.Settings().tasks)"
    assert brought_in(load, "numpy", "flint", "fpdf", "markdown_it", "PIL", "duckdb") == ""


def test_the_results_with_a_template_are_shown_by_it(backend: Backend) -> None:
    shipped = open_backend(backend.settings.model_copy(update={"tasks": (OF_THE_PROJECT,)}))
    ada = Visitor(create_app(shipped)).registered("ada@example.com")
    run_id = ada.submit("factorise", number="360")
    execute(shipped, run_id)
    equation = the(soup(ada.get(f"/runs/{run_id}")), ".result--equation")
    assert str(equation).count("<sup>") == 2
    assert equation.text == "360 = 2^3 × 3^2 × 5"
    run_id = ada.submit("estimate_pi", samples="1000")
    execute(shipped, run_id)
    assert the(soup(ada.get(f"/runs/{run_id}")), ".result--equation").text.startswith("π ≈ ")
