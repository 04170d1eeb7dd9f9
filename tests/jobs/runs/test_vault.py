"""The vault: secrets and parameters encrypted in the database, for their owner alone."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import select

from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.runs.vault import LONGEST_VALUE, RefusedSecret, SecretRow, Vault
from tests.support.people import make_owner, make_run, with_key

VALUE = "correct-horse-battery"
# Encrypted once, and read since: a secret of the first owner, a secret in a form, and the parameters of a run.
STORED = (
    "gAAAAABrCZ-PxdCi7lfSYHsQ_u0lOGR0siUCAJgNRWjR_zdfbEDZ8z8l78x5xdSVKbjJYwTS9UnJ1QJ3MonSSPjOx9zzWzgdnrvu3njJgYgiFXeO"
    "lm82jeg="
)
SEALED = (
    "gAAAAABrCZ-PRFYSYbhQ1IB5f9ZBQzZl6XacTtH7CwXrx6pYcY_s5QvYyUAw102Zl02JVs2Mj4KgXzWx6Zelf2yznU3MqpOIYjKUtcy_eJQnR3P6"
    "_u_tpnU="
)
PARAMETERS = (
    "gAAAAABrCaGdgPy5wOrJ7-YjLyMBaP5c6t8NTnOg6UGEgDrln1JJgo4y1WVT9QBupqeiwQvPDd8lBi6ev_kdsmWGNn3gRvJ7z9dFWAzVFoE6gvN3"
    "gTHre_ABvkUSKFD7Q7XTeyNgKwq92p7UlNn5vYbywnnlCJnr1Q=="
)


@pytest.fixture
def vault(backend: Backend) -> Vault:
    return backend.vault


def test_what_was_put_comes_back_for_its_owner_alone(backend: Backend, vault: Vault) -> None:
    ada, ben = make_owner(backend, "ada@example.com"), make_owner(backend, "ben@example.com")
    vault.put(ada, "API_TOKEN", "first")
    vault.put(ada, "API_TOKEN", VALUE)
    vault.put(ben, "API_TOKEN", "of ben")
    assert (vault.names(ada), vault.values(ada, ())) == (["API_TOKEN"], {"API_TOKEN": VALUE})
    assert vault.values(ada, ["OTHER"]) == {}
    assert [vault.delete(ada, "API_TOKEN"), vault.delete(ada, "API_TOKEN")] == [True, False]
    assert (vault.names(ada), vault.names(ben)) == ([], ["API_TOKEN"])


@pytest.mark.parametrize("name", ["", "2FAST", "a-b", "größe", "A" * 65, "A B", "A\n"])
def test_a_name_that_no_task_could_write_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(RefusedSecret, match="API_TOKEN") as refused:
        vault.put(1, name, VALUE)
    assert refused.value.field == "name"


@pytest.mark.parametrize("value", ["", " \n", "x" * (LONGEST_VALUE + 1), "a\x00b", "\ud800"])
def test_a_value_that_cannot_be_kept_is_refused_without_being_repeated(vault: Vault, value: str) -> None:
    with pytest.raises(RefusedSecret) as refused:
        vault.put(1, "API_TOKEN", value)
    assert refused.value.field == "value"
    assert "xxx" not in str(refused.value)


def test_a_user_keeps_a_limited_number(backend: Backend, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.runs.vault.MOST_SECRETS", 2)
    owner_id = make_owner(backend)
    for name in ("A", "B", "B"):
        vault.put(owner_id, name, VALUE)
    with pytest.raises(RefusedSecret, match="already have 2 secrets"):
        vault.put(owner_id, "C", VALUE)


def test_a_secret_that_is_kept_several_times_at_once_is_kept(backend: Backend, vault: Vault) -> None:
    owner_id = make_owner(backend)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: vault.put(owner_id, f"SECRET_{number % 2}", VALUE), range(16)))
    assert vault.names(owner_id) == ["SECRET_0", "SECRET_1"]


def test_a_secret_moved_to_somebody_else_cannot_be_read(backend: Backend, vault: Vault) -> None:
    ada, ben = make_owner(backend, "ada@example.com"), make_owner(backend, "ben@example.com")
    vault.put(ada, "API_TOKEN", VALUE)
    with backend.database.write() as session:
        stolen = session.get_one(SecretRow, (ada, "API_TOKEN")).encrypted
        session.add(SecretRow(owner_id=ben, name="API_TOKEN", encrypted=stolen))
        session.add(SecretRow(owner_id=ada, name="OTHER", encrypted=stolen))
    assert vault.values(ben, ()) == {}
    assert vault.values(ada, ()) == {"API_TOKEN": VALUE}


def test_the_key_can_be_changed(backend: Backend) -> None:
    owner_id = make_owner(backend)
    with_key(backend, "old" * 20).put(owner_id, "API_TOKEN", VALUE)
    assert with_key(backend, "new" * 20).values(owner_id, ()) == {}
    between = with_key(backend, "new" * 20, "old" * 20)
    assert between.values(owner_id, ()) == {"API_TOKEN": VALUE}
    assert between.renew() == (1, 0)
    assert with_key(backend, "new" * 20).values(owner_id, ()) == {"API_TOKEN": VALUE}
    assert with_key(backend, "old" * 20).renew() == (0, 1)


def test_the_parameters_of_runs_are_encrypted_with_the_new_key_too(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.runs.vault.RENEWED_AT_ONCE", 2)
    owner_id, given = make_owner(backend), ({"token": VALUE}, [VALUE])
    encrypted = with_key(backend, "old" * 20).seal_parameters(owner_id, *given)
    runs = [make_run(backend, owner_id, encrypted_parameters=encrypted) for _ in range(5)]
    without = make_run(backend, owner_id)
    lost = make_run(backend, owner_id, encrypted_parameters="by another key")
    assert with_key(backend, "new" * 20, "old" * 20).renew_parameters() == (5, 1)
    with backend.database.read() as session:
        query = select(Run.id, Run.encrypted_parameters, Run.version)
        kept = {run_id: (encrypted, version) for run_id, encrypted, version in session.execute(query)}
    assert kept.pop(without.id) == (None, 1)
    assert kept.pop(lost.id) == ("by another key", 1)
    opened = {
        run_id: with_key(backend, "new" * 20).unseal_parameters(owner_id, encrypted or "")
        for run_id, (encrypted, _version) in kept.items()
    }
    assert opened == dict.fromkeys((run.id for run in runs), given)


def test_a_secret_that_was_stored_long_ago_is_still_read_whatever_the_application_is_called(backend: Backend) -> None:
    settings = backend.settings.model_copy(update={"secret_key": "only for tests " * 3, "app_name": "Parcel Desk"})
    vault = Vault(backend.database, settings)
    owner_id = make_owner(backend)
    assert owner_id == 1, "the owner for whom these were encrypted"
    with backend.database.write() as session:
        session.add(SecretRow(owner_id=1, name="API_TOKEN", encrypted=STORED))
    assert vault.values(1, ()) == {"API_TOKEN": VALUE}
    assert vault.unseal(1, SEALED) == VALUE
    assert vault.unseal_parameters(1, PARAMETERS) == ({"token": VALUE}, [VALUE])


@pytest.mark.only_on("sqlite")
def test_the_database_has_names_and_no_values(backend: Backend, vault: Vault) -> None:
    vault.put(make_owner(backend), "API_TOKEN", VALUE)
    with closing(sqlite3.connect(backend.settings.data_dir / "dumbwaiter.db")) as connection:
        dump = "\n".join(connection.iterdump())
    assert "API_TOKEN" in dump
    assert VALUE not in dump
    files = [path for path in backend.settings.data_dir.rglob("*") if path.is_file()]
    assert not any(VALUE.encode() in path.read_bytes() for path in files)
