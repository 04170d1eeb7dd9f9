"""Which names and connections lead to the application."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.visitor import PASSWORD, Visitor
from webapp import create_app
from webapp.live.subscribers import Subscribers
from webapp.live.toasts import Toasts
from webapp.rendering.listings import Listing

HERE = ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "LOCALHOST"]
ELSEWHERE = [
    *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0"),
    *("a b", "localhost@evil.example", "evil.example#localhost", "", ":8000", "[", "[::1"),
    *("a..b", "x" * 70 + ".example", "xn--\xff", ".", "..", "é.example", "localhost..", "-"),
]
SITE = "dumbwaiter.example.com"
PRODUCTION: dict[str, Any] = {
    "app_env": "production",
    "secret_key": "x" * 40,
    "trusted_proxies": 1,
    "public_url": f"https://{SITE}",
    "registration": "open",
}
TLS = {"Host": SITE, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
PATHS = ["/login", "/", "/nowhere", "/admin/rq", "/static/js/live.js", "/live", "/api/v1/tasks", "/api/openapi.json"]

Serve = Callable[..., FlaskClient]


@pytest.fixture
def serve(backend: Backend) -> Serve:
    """Make a client of the application with other settings."""

    def made(**settings: Any) -> FlaskClient:
        changed = type(backend.settings).model_validate({**backend.settings.model_dump(), **settings})
        return create_app(replace(backend, settings=changed)).test_client()

    return made


def test_in_development_only_names_of_this_machine_lead_to_the_application(serve: Serve) -> None:
    client = serve()
    for host in HERE:
        assert client.get("/login", headers={"Host": host}).status_code == 200, host
    for host in ELSEWHERE:
        for path in PATHS:
            answer = client.get(path, headers={"Host": host})
            assert (answer.status_code, "Location" in answer.headers) == (400, False), (host, path)
            assert "evil" not in answer.text


def test_a_rebound_name_cannot_sign_in_or_run_anything(serve: Serve) -> None:
    headers = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
    answer = serve().post("/register", data={"email": "a@example.com", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text


def test_the_public_address_and_the_allowed_hosts_decide(serve: Serve) -> None:
    client = serve(**PRODUCTION, allowed_hosts="other.example.com, [2001:db8::7]")
    for host in (SITE, f"{SITE}:443", SITE.upper(), "other.example.com", "[2001:db8::7]:8000"):
        assert client.get("/login", headers={**TLS, "Host": host}).status_code == 200, host
    for host in (*HERE, *ELSEWHERE, f"www.{SITE}"):
        assert client.get("/login", headers={**TLS, "Host": host}).status_code == 400, host


def test_a_development_server_answers_for_the_address_it_listens_on(serve: Serve) -> None:
    client = serve(host="192.0.2.7")
    assert client.get("/login", headers={"Host": "192.0.2.7:8000"}).status_code == 200
    assert serve(host="0.0.0.0").get("/login", headers={"Host": "192.0.2.7:8000"}).status_code == 400


def test_a_forwarded_host_must_be_ours_too_and_is_believed_from_proxies_alone(serve: Serve) -> None:
    forged = {**TLS, "X-Forwarded-Host": "evil.example"}
    assert serve(**PRODUCTION).get("/login", headers=forged).status_code == 400
    assert serve(**PRODUCTION).get("/login", headers={**TLS, "Host": "x", "X-Forwarded-Host": SITE}).status_code == 200
    hidden = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    assert serve().get("/login", headers=hidden).status_code == 400


def test_production_refuses_plain_http_except_to_health_checks(serve: Serve) -> None:
    client = serve(**PRODUCTION)
    for path in PATHS:
        answer = client.get(path, headers={"Host": SITE, "X-Forwarded-Proto": "http"})
        assert (answer.status_code, "Location" in answer.headers) == (403, False), path
    assert "https://" in client.get("/login", headers={"Host": SITE}).text
    for host in (SITE, "10.0.0.1", ""):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
        assert client.get("/readyz", headers={"Host": host}).status_code in (200, 503)


def test_every_answer_over_tls_asks_for_tls_from_now_on(serve: Serve) -> None:
    client = serve(**PRODUCTION)
    for path in PATHS:
        assert client.get(path, headers=TLS).headers["Strict-Transport-Security"].startswith("max-age=31536000"), path
    assert "Strict-Transport-Security" not in serve().get("/login").headers


def test_the_cookie_can_be_set_by_this_host_over_tls_alone(serve: Serve) -> None:
    data = {"email": "ada@example.com", "password": PASSWORD}
    headers = {**TLS, "Origin": f"https://{SITE}"}
    cookie = serve(**PRODUCTION).post("/register", data=data, headers=headers).headers["Set-Cookie"]
    assert cookie.startswith("__Host-dumbwaiter=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    below = serve(**PRODUCTION, url_prefix="/tools")
    cookie = below.post("/login", data=data, headers=headers).headers["Set-Cookie"]
    assert cookie.startswith("__Secure-dumbwaiter=")
    assert {"Secure", "Path=/tools"} <= set(cookie.split("; "))


@pytest.mark.parametrize(("scheme", "status"), [("https", 303), ("http", 403), ("wss", 403)])
def test_an_origin_is_compared_with_its_scheme(serve: Serve, scheme: str, status: int) -> None:
    data = {"email": "ada@example.com", "password": PASSWORD}
    headers = {**TLS, "Origin": f"{scheme}://{SITE}"}
    assert serve(**PRODUCTION).post("/register", data=data, headers=headers).status_code == status
    handshake = {**headers, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    refused = serve(**PRODUCTION).get("/live", headers=handshake).status_code == 403
    assert refused == (status == 403)


def test_a_prefix_is_believed_from_trusted_proxies_alone(serve: Serve) -> None:
    asked = {"X-Forwarded-Prefix": "/tools/dumbwaiter"}
    behind = serve(trusted_proxies=1)
    for path in ("/runs", "/tools/dumbwaiter/runs"):  # a proxy may take the prefix off or leave it
        leads = behind.get(path, headers=asked).headers["Location"]
        assert leads == "/tools/dumbwaiter/login?next=/tools/dumbwaiter/runs"
    assert behind.get("/login", headers=asked).text.count('"/tools/dumbwaiter/') > 5
    for forged in ("//evil.example", "/runs", "/a b", "https://evil.example", "/..", "/a/../b", "x"):
        leads = behind.get("/runs", headers={"X-Forwarded-Prefix": forged}).headers["Location"]
        assert leads == "/login?next=/runs", forged
    for header in ("X-Forwarded-Prefix", "Script-Name", "X-Script-Name", "SCRIPT_NAME"):
        assert serve().get("/runs", headers={header: "/tools"}).headers["Location"] == "/login?next=/runs"


def test_pages_below_a_proxys_prefix_are_pushed_addresses_below_it(backend: Backend) -> None:
    app = create_app(backend)
    ada = Visitor(app).registered("ada@example.com")
    run_id, owner = ada.submit("reverse_text", text="ab"), owner_id(backend, ada.email)
    pages = Subscribers(app, Listing(owner, url_prefix="/tools"), Toasts(backend.database, owner), prompt=True)
    pages.update([])
    assert f'"/tools/runs/{run_id}"' in pages.snapshot().fragments[run_id].html
