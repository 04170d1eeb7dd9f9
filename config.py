"""Settings, read once from the environment. An invalid value stops the start with an error that names it."""

import contextlib
import hashlib
import ipaddress
import os
import re
import secrets
import tempfile
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, NamedTuple, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

# The maximum length of a Unix socket path is 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 100
ROOT = Path(__file__).parent
URL_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])+")
# The application's own addresses: as a prefix they could not be told from a path whose prefix the proxy has taken off.
OWN_ADDRESSES = frozenset({"account", "admin", "api", "healthz", "live", "login", "logout", "palette"})
OWN_ADDRESSES |= {"pins", "readyz", "register", "reset", "runs", "shared", "shortcuts", "static", "tasks"}
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
PORT_AFTER = re.compile(r"(?P<host>\[[^]]*\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")
HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:]+:[0-9a-f:.]*")
WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  # compared, not bound
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
ENDPOINT = (
    re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?/?"),
    "must be http:// or https:// and a host, without a path",
)
DOMAIN = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
# The texts that settings may have, and how to say so.
FORMS = {
    "redis_url": (re.compile(r"(rediss?|unix)://.*"), "must start with redis://, rediss:// or unix://"),
    "files_url": (
        re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?"),
        "must be s3://bucket or s3://bucket/prefix",
    ),
    "aws_endpoint_url": ENDPOINT,
    "public_url": ENDPOINT,
    "help_url": (re.compile(r"https?://[^\s/]\S*"), "must begin with https:// or http://"),
    "registration": (
        re.compile(rf"open|invite|closed|domain: *{DOMAIN}( *, *{DOMAIN})*"),
        "must be open, invite, closed, or domain: with domains, such as domain:example.org,example.com",
    ),
    "mail_url": (
        re.compile(r"smtps?://([^\s@/:]+:[^\s@/:]+@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/?"),
        "must be smtp:// or smtps:// with user:password@host:port; in a password, write @ as %40, : as %3A, / as %2F",
    ),
    "mail_from": (
        re.compile(r"[^\s@<>]+@[^\s@<>]+|[^@<>\r\n]+ <[^\s@<>]+@[^\s@<>]+>"),
        "must be an address, such as dumbwaiter@example.com, or Name <dumbwaiter@example.com>",
    ),
}


def is_prefix(path: str) -> bool:
    """Return whether all addresses of the application can be below a path."""
    return bool(URL_PREFIX.fullmatch(path)) and not OWN_ADDRESSES.intersection(path.split("/")[1:2])


Registration = Literal["open", "domain", "invite", "closed"]


class ConfigError(Exception):
    """An invalid environment variable; the message names it and says what to do."""


class InternalReceiver(NamedTuple):
    """An entry of WEBHOOK_ALLOW: a network or a name, with the port if it is not one of the usual ones."""

    network: IPv4Network | IPv6Network | None
    name: str
    port: int | None


class Settings(BaseModel):
    """All settings of a deployment. Each field is named after its environment variable, in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    app_env: Literal["development", "production"] = "development"
    app_name: str = Field(default="Dumbwaiter", min_length=1, max_length=60)
    app_accent: str = ""
    app_logo: Path | None = None
    contact: str = Field(default="", max_length=200)
    help_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    url_prefix: str = ""
    data_dir: Path = Path("instance")
    database_url: str = ""
    redis_url: str = ""
    files_url: str = ""
    aws_endpoint_url: str = ""
    aws_region: str = ""
    redis_tls_verify: bool = True
    secret_key: str = ""
    secret_key_previous: str = ""
    workers: int = Field(default=2, ge=0, le=256)
    tasks: tuple[Path, ...] = (ROOT / "jobs" / "tasks",)
    task_environment: str = ""
    task_user: str = ""
    lease_seconds: int = Field(default=60, ge=2, le=3600)
    web_concurrency: int = Field(default=1, ge=1, le=64)
    allowed_hosts: frozenset[str] = frozenset()
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    max_upload_mb: int = Field(default=1000, ge=1)
    user_quota_mb: int = Field(default=5000, ge=1)
    registration: str = ""
    mail_url: str = ""
    mail_from: str = ""
    require_2fa: Literal["", "administrators", "everybody"] = ""
    user_queued_runs: int = Field(default=1000, ge=1)
    user_runs_a_day: int = Field(default=10_000, ge=1)
    user_running_runs: int = Field(default=10_000, ge=1)
    user_kept_mb: int = Field(default=5000, ge=1)
    role_caps: str = ""
    share_links: bool = True
    public_url: str = ""
    webhook_allow: tuple[InternalReceiver, ...] = ()
    oidc_issuer: str = Field(default="", max_length=255)
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_name: str = Field(default="single sign-on", min_length=1, max_length=60)
    oidc_groups_claim: str = ""
    oidc_allowed_groups: frozenset[str] = frozenset()
    oidc_administrators: frozenset[str] = frozenset()
    oidc_only: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("tasks", mode="before")
    @classmethod
    def _folders(cls, value: str | tuple[Path, ...]) -> tuple[Path, ...]:
        """Split the folders at colons. Relative paths start at the project, so that they mean the same everywhere."""
        names = [name for name in value.split(os.pathsep) if name] if isinstance(value, str) else value
        if not names:
            raise ValueError("must be one or more folders, separated by colons")
        paths = [os.path.abspath(ROOT / Path(name).expanduser()) for name in names]
        return tuple(map(Path, dict.fromkeys(paths)))

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme in ("postgres", "postgresql"):  # the scheme that hosting platforms use; the driver is psycopg 3
            return f"postgresql+psycopg://{rest}"
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        if value == "sqlite:///" or value.startswith("sqlite:///:memory:") or "mode=memory" in rest:
            raise ValueError("must name a file, because several processes use the database")
        return value

    @field_validator(*FORMS)
    @classmethod
    def _in_its_form(cls, value: str, info: ValidationInfo) -> str:
        form, words = FORMS[str(info.field_name)]
        if value and not form.fullmatch(value):
            raise ValueError(words)
        return value.rstrip("/") if form.pattern.endswith("/?") else value

    @field_validator("url_prefix")
    @classmethod
    def _known_prefix(cls, value: str) -> str:
        prefix = value.rstrip("/")
        if OWN_ADDRESSES.intersection(prefix.split("/")[1:2]):
            raise ValueError("must not begin with an address of the application; choose another, such as /dumbwaiter")
        if prefix and not is_prefix(prefix):
            raise ValueError("must be a path such as /dumbwaiter")
        return prefix

    @field_validator("webhook_allow", mode="before")
    @classmethod
    def _internal_receivers(cls, value: str | tuple[InternalReceiver, ...]) -> tuple[InternalReceiver, ...]:
        if not isinstance(value, str):
            return value
        return tuple(_internal_receiver(entry.strip()) for entry in value.split(",") if entry.strip())

    @field_validator("oidc_issuer")
    @classmethod
    def _known_issuer(cls, value: str) -> str:
        url = urlsplit(value)
        if value and not (url.hostname and (url.scheme == "https" or (url.scheme == "http" and url.hostname in HERE))):
            raise ValueError("must be the provider's address, which begins with https://")
        return value

    @field_validator("oidc_allowed_groups", "oidc_administrators", mode="before")
    @classmethod
    def _values(cls, value: str | frozenset[str]) -> frozenset[str]:
        return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _names(cls, value: str | frozenset[str]) -> frozenset[str]:
        """Split the names at commas."""
        given = value.split(",") if isinstance(value, str) else value
        names = frozenset(name.strip().strip("[]").lower() for name in given if name.strip())
        if wrong := [name for name in names if not HOST.fullmatch(name)]:
            raise ValueError(f"must be names or addresses without scheme and port, separated by commas, not {wrong[0]}")
        return names

    @model_validator(mode="after")
    def _safe_in_production(self) -> "Settings":
        if self.production and len(self.secret_key) < 32:
            raise ValueError(
                "SECRET_KEY: must be set to at least 32 random characters in production "
                "(python -c 'import secrets; print(secrets.token_urlsafe(48))')"
            )
        return self

    @model_validator(mode="after")
    def _can_send_mail(self) -> "Settings":
        if self.mail_url and not self.mail_from:
            raise ValueError("MAIL_FROM: must be set with MAIL_URL, to the address that mails come from")
        if self.registration_domains and not self.mail_url:
            raise ValueError(
                "MAIL_URL: must be set with REGISTRATION=domain:…, because addresses are proved by mail. "
                "Without mail, use REGISTRATION=invite."
            )
        if self.production and self.mail_url and not self.public_url:
            raise ValueError("PUBLIC_URL: must be set with MAIL_URL, because mails have links to the site")
        return self

    @model_validator(mode="after")
    def _knows_provider(self) -> "Settings":
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("OIDC_CLIENT_ID: must be set with OIDC_ISSUER, to the name that the provider gave us")
        if self.oidc_only and not self.oidc_issuer:
            raise ValueError("OIDC_ISSUER: must be set with OIDC_ONLY, because nobody could log in otherwise")
        return self

    @property
    def production(self) -> bool:
        return self.app_env == "production"

    @property
    def registers(self) -> Registration:
        """Who may register: REGISTRATION, or everybody on a developer's own machine and who is invited elsewhere."""
        if self.registration:
            return cast(Registration, self.registration.partition(":")[0])
        return "open" if not self.production and self.host in HERE else "invite"

    @property
    def registration_domains(self) -> tuple[str, ...]:
        """The domains of the addresses that may register; none if the domain does not matter."""
        names = self.registration.partition(":")[2].lower().split(",")
        return tuple(name.strip() for name in names if name)

    @property
    def hosts(self) -> frozenset[str]:
        """The host names and addresses that requests may name, in lower case and without ports.

        Outside production, or without a choice, they are this machine's own and the one that the server listens on. No
        other name may reach a development server: a page on the web could let its name lead here (DNS rebinding).
        """
        public = urlsplit(self.public_url).hostname
        chosen = self.allowed_hosts | ({public} if public else set())
        if self.production and chosen:
            return chosen
        return chosen | HERE | ({self.host.lower()} - set(WILDCARDS))

    @property
    def insists_on_tls(self) -> bool:
        """Return whether plain http is refused: in production, unless PUBLIC_URL says that the site is served by it."""
        return self.production and not self.public_url.startswith("http:")

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'dumbwaiter.db'}"

    @property
    def files(self) -> Path:
        """The folder of the local file store; with S3, the folder for incoming files until they are complete."""
        return self.data_dir / "files"

    @property
    def embeds_redis(self) -> bool:
        """Return whether the application starts an embedded Redis."""
        return not self.redis_url

    @property
    def redis_folder(self) -> Path:
        """The data folder of the embedded Redis."""
        return self.data_dir / "redis"

    @property
    def redis_socket(self) -> Path:
        """The socket of the embedded Redis: in DATA_DIR, or in the temporary folder if that path is too long."""
        path = self.redis_folder / "redis.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        return self.temporary("redis") / "redis.sock"

    def temporary(self, purpose: str) -> Path:
        """Return a folder of this DATA_DIR's own in the temporary folder."""
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"dumbwaiter-{os.getuid()}-{digest}-{purpose}"

    @property
    def redis(self) -> str:
        """The URL of Redis, external or embedded."""
        return self.redis_url or f"unix://{self.redis_socket}"

    def session_key(self) -> str:
        """Return the key that signs sessions: SECRET_KEY, or outside production a key generated once in DATA_DIR."""
        if self.secret_key:
            return self.secret_key
        path = self.data_dir / "secret_key"
        try:
            key = self._kept_key(path)
        except OSError as error:
            raise ConfigError(f"DATA_DIR: {error.strerror}: {path}. Free it up, or set SECRET_KEY.") from None
        if not key:
            raise ConfigError(f"DATA_DIR: {path} holds no key. Delete it to have a new one made, or set SECRET_KEY.")
        return key

    def _kept_key(self, path: Path) -> str:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # Write a temporary file and link it into place: no process reads a partial key, and the first key wins.
            with tempfile.NamedTemporaryFile("w", dir=self.data_dir) as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, path)
        return path.read_text().strip()


def _internal_receiver(entry: str) -> InternalReceiver:
    """Parse an entry of WEBHOOK_ALLOW, such as 10.0.0.0/8, [fd00::/8]:8080 or hooks.internal:8080."""
    named = PORT_AFTER.fullmatch(entry)
    host, port = (named["host"], int(named["port"])) if named else (entry, None)
    host = host.strip("[]").lower()
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{entry!r} has no valid port")
    try:
        return InternalReceiver(ipaddress.ip_network(host), "", port)
    except ValueError as error:
        # A name whose last part is a number would be read as an IPv4 address elsewhere.
        if HOST_NAME.fullmatch(host) and not host.rpartition(".")[2].isdecimal():
            return InternalReceiver(None, host, port)
        reason = f" ({error})" if "host bits" in str(error) else ""
        message = f"{entry!r} is neither a network, such as 10.0.0.0/8, nor a name, such as hooks.internal:8080"
        raise ValueError(message + reason) from None


def load() -> Settings:
    """Read the settings from the environment.

    Raises ConfigError with one line for each invalid value, starting with the variable's name.
    """
    try:
        given = {name: os.environ.get(name.upper()) for name in Settings.model_fields}
        return Settings.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False):
            name = "".join(str(part) for part in problem["loc"]).upper()
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {message}" if name else message)
        raise ConfigError("\n".join(lines)) from None
