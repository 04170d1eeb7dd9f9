"""Settings: read from the environment, refused by name."""

from pathlib import Path

import pytest

import config
from config import ConfigError, Settings
from webapp.server.settings import load_to_serve

NAMES = (
    "APP_ENV",
    "PORT",
    "DATABASE_URL",
    "REDIS_URL",
    "FILES_URL",
    "AWS_ENDPOINT_URL",
    "DATA_DIR",
    "SECRET_KEY",
    "WORKERS",
    "WEB_CONCURRENCY",
    "URL_PREFIX",
    "PUBLIC_URL",
    "ALLOWED_HOSTS",
    "TRUSTED_PROXIES",
    "TASKS",
    *("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_ONLY"),
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def test_without_an_environment_everything_lives_in_data_dir(tmp_path: Path) -> None:
    settings = config.load()
    assert settings.port == 8000
    assert settings.database == f"sqlite:///{tmp_path}/dumbwaiter.db"
    assert settings.embeds_redis
    assert settings.redis == f"unix://{tmp_path}/redis/redis.sock"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("WORKERS", "-1"),
        ("DATABASE_URL", "mysql://x"),
        ("REDIS_URL", "localhost"),
        ("FILES_URL", "/srv/files"),
        ("FILES_URL", "s3://"),
        ("FILES_URL", "s3://bucket/../other//x"),
        ("TASKS", ":"),
        ("REGISTRATION", "everybody"),
        ("REGISTRATION", "domain:"),
        ("REGISTRATION", "domain:example.org,@example.com"),
        ("MAIL_URL", "mail.example.org"),
        ("MAIL_URL", "smtp://user:p@ss@mail.example.org"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "A <a@example.org>\nBcc: b@example.org"),
        ("URL_PREFIX", "dumbwaiter"),
        ("URL_PREFIX", "//evil.example"),
        ("URL_PREFIX", "/a/../b"),
        ("URL_PREFIX", "/a b"),
        ("URL_PREFIX", "/runs/of/others"),
        ("PUBLIC_URL", "dumbwaiter.example.com"),
        ("PUBLIC_URL", "https://example.com/dumbwaiter"),
        ("ALLOWED_HOSTS", "https://example.com"),
        ("ALLOWED_HOSTS", "example.com:8000"),
        ("ALLOWED_HOSTS", "*"),
        ("AWS_ENDPOINT_URL", "minio:9000"),
        ("AWS_ENDPOINT_URL", "https://minio:9000/path"),
        ("OIDC_ISSUER", "http://id.example.com"),
        ("OIDC_ISSUER", "https://id.example.com/without/a/client"),
        ("OIDC_ONLY", "1"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        config.load()


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert config.load().port == 8000


def test_tasks_are_in_the_projects_folder_or_in_those_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = config.ROOT / "jobs" / "tasks"
    assert config.load().tasks == (shipped,)
    monkeypatch.setenv("HOME", "/home/ada")
    for value, folders in {
        "/srv/mine": (Path("/srv/mine"),),
        "/srv/mine/:jobs/tasks:": (Path("/srv/mine"), shipped),
        "../mine:~/mine": (config.ROOT.parent / "mine", Path("/home/ada/mine")),
        "/srv/mine:/srv/../srv/mine": (Path("/srv/mine"),),
    }.items():
        monkeypatch.setenv("TASKS", value)
        assert config.load().tasks == folders


def test_relative_folders_of_tasks_mean_the_same_wherever_a_command_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TASKS", "jobs/tasks")
    assert config.load().tasks == (config.ROOT / "jobs" / "tasks",)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_platforms_postgres_url_means_psycopg(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@host/db")
    assert config.load().database == "postgresql+psycopg://u:p@host/db"


def test_registration_by_domain_and_mail_name_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {
        "MAIL_URL: must be set with REGISTRATION=domain": {"REGISTRATION": "domain:example.org, Example.com"},
        "MAIL_FROM: must be set with MAIL_URL": {"MAIL_URL": "smtp://u:p%40@mail.example.org:25"},
        "PUBLIC_URL: must be set with MAIL_URL": {
            **{"MAIL_FROM": "Dumbwaiter <dw@example.org>", "APP_ENV": "production", "SECRET_KEY": "x" * 40}
        },
    }
    for words, given in steps.items():
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=words):
            config.load()
    monkeypatch.setenv("PUBLIC_URL", "https://dw.example.org")
    settings = config.load()
    assert (settings.registers, settings.registration_domains) == ("domain", ("example.org", "example.com"))


def test_production_insists_on_a_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        config.load()
    monkeypatch.setenv("SECRET_KEY", "x" * 32)
    assert config.load().session_key() == "x" * 32


def test_a_server_in_production_insists_on_its_address_and_its_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"APP_ENV": "production", "SECRET_KEY": "x" * 32}.items():
        monkeypatch.setenv(name, value)
    assert config.load().hosts == {"localhost", "127.0.0.1", "::1"}, "workers need no address"
    with pytest.raises(ConfigError, match=r"^PUBLIC_URL"):
        load_to_serve()
    monkeypatch.setenv("PUBLIC_URL", "http://intranet:8000")
    assert not load_to_serve().insists_on_tls
    monkeypatch.setenv("PUBLIC_URL", "https://Dumbwaiter.example.com/")
    with pytest.raises(ConfigError, match=r"^TRUSTED_PROXIES"):
        load_to_serve()
    monkeypatch.setenv("TRUSTED_PROXIES", "1")
    assert load_to_serve().hosts == {"dumbwaiter.example.com"}


def test_a_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = Settings(data_dir=tmp_path).session_key()
    assert len(first) >= 43
    assert Settings(data_dir=tmp_path).session_key() == first
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_the_socket_of_a_deep_data_dir_is_short_enough_for_the_system(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / ("deep" * 30))
    assert len(str(settings.redis_socket)) <= config.LONGEST_SOCKET_PATH
    assert settings.redis_socket == Settings(data_dir=tmp_path / ("deep" * 30)).redis_socket
    assert settings.redis_socket != Settings(data_dir=tmp_path / ("deep" * 31)).redis_socket
