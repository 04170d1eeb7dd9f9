"""nginx and Caddy with the configurations in docs/, on ports of their own and with a certificate for tests."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jobs.worker.process import die_with_parent
from tests.support.stack import ROOT, free_port
from tests.support.waiting import until

HERE = "127.0.0.1"
STOP_SECONDS = 5
HOW_TO_GET_THEM = "These tests need nginx and Caddy. Install them (Debian, Ubuntu: apt-get install nginx caddy)."
# A server as Debian runs it, but in one folder and in the foreground.
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log; {user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@dataclass
class Proxy:
    """A proxy in front of an application."""

    folder: Path
    application: int
    prefix: str
    port: int = field(default_factory=free_port)
    pid: int = 0

    @property
    def url(self) -> str:
        return f"https://{HERE}:{self.port}{self.prefix}"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def start(self, server: str) -> "subprocess.Popen[bytes]":
        """Start a server by name, and wait until it listens."""
        _write_certificate(self.certificate, self.folder / "key.pem")
        process = SERVERS[server](self)
        until(lambda: self._listens() or process.poll() is not None, f"the start of {server}")
        assert process.poll() is None, (self.folder / "log").read_text()
        self.pid = process.pid
        return process

    def changed(self, name: str, changes: Mapping[str, str]) -> str:
        """Return a configuration of docs/ with everything changed that an owner has to change."""
        text = (ROOT / "docs" / name).read_text()
        for before, after in {"127.0.0.1:8000": f"{HERE}:{self.application}", **changes}.items():
            assert before in text, f"docs/{name} has no {before}"
            text = text.replace(before, after)
        return text

    def spawn(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        assert path, HOW_TO_GET_THEM
        parent = os.getpid()
        return subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)},
            preexec_fn=lambda: die_with_parent(parent, signal.SIGTERM),
        )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HERE, self.port)) == 0


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server, by force if it waits for a connection to end: Caddy waits without a limit."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _nginx(proxy: Proxy) -> "subprocess.Popen[bytes]":
    changes = {
        "listen 443": f"listen {HERE}:{proxy.port}",
        "listen 80": f"listen {HERE}:{free_port()}",
        "/etc/ssl/dumbwaiter": str(proxy.folder / "certificate"),
        str(proxy.folder / "certificate.key"): str(proxy.folder / "key.pem"),
        "location / {": f"location {proxy.prefix}/ {{",
    }
    user = "user root;" if os.geteuid() == 0 else ""
    site = proxy.changed("nginx.conf", changes)
    (proxy.folder / "nginx.conf").write_text(NGINX.format(folder=proxy.folder, site=site, user=user))
    return proxy.spawn("nginx", "-c", str(proxy.folder / "nginx.conf"), "-e", str(proxy.folder / "log"))


def _caddy(proxy: Proxy) -> "subprocess.Popen[bytes]":
    tls = f"tls {proxy.certificate} {proxy.folder / 'key.pem'}"
    changes = {
        "dumbwaiter.example.com {": f"{{\n\tadmin off\n\tauto_https off\n}}\n\nhttps://{HERE}:{proxy.port} {{\n\t{tls}",
        "\thandle {": f"\thandle {proxy.prefix}* {{",
    }
    (proxy.folder / "Caddyfile").write_text(proxy.changed("Caddyfile", changes))
    return proxy.spawn("caddy", "run", "--config", str(proxy.folder / "Caddyfile"), "--adapter", "caddyfile")


SERVERS: dict[str, Callable[[Proxy], "subprocess.Popen[bytes]"]] = {"nginx": _nginx, "caddy": _caddy}


def _write_certificate(certificate: Path, key: Path) -> None:
    """Write a certificate of our own for this machine."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HERE)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HERE))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
