"""Behind nginx and Caddy: pages, sockets, uploads and downloads, at the root of a site and below a path."""

import http.client
import os
import ssl
import time
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext, log_out, open_live, was_not_reloaded
from tests.proxies.servers import HERE, Proxy
from tests.support.person import Person, receive_until, shows
from tests.support.raw_upload import BOUNDARY, END, head_of
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS, until

# Applications and proxies are started once for all of these tests.
pytestmark = pytest.mark.xdist_group("proxies")

MB = 1_000_000
# With PROXIES=full as much as a form takes; a buffer anywhere shows with less.
UPLOAD_BYTES = (1000 if os.environ.get("PROXIES") == "full" else 40) * MB
PIECE = b"x" * MB
MOST_GROWTH_BYTES = 30 * MB


@pytest.fixture(scope="session")
def trusted(proxy: Proxy) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(proxy.certificate))


@pytest.fixture
def ada(proxy: Proxy, trusted: ssl.SSLContext) -> Person:
    return Person(proxy.url, f"ada{time.time_ns()}@example.com", trusted)


def test_the_way_through_the_application(proxy: Proxy, new_context: NewContext) -> None:
    context = new_context(base_url=f"{proxy.url}/")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto("tasks/reverse_text")
    page.get_by_role("link", name="Register", exact=True).last.click()
    email = f"someone{time.time_ns()}@example.com"
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(f"{proxy.url}/tasks/reverse_text")
    other = open_live(context.new_page(), "runs")
    open_live(page, "tasks/reverse_text")
    page.get_by_label("Text").fill("dumbwaiter")
    page.get_by_role("button", name="Run", exact=True).click()
    for tab in (page, other):
        expect(tab.locator("#runs-list > .run[data-state=succeeded]")).to_contain_text("retiawbmud")
        assert was_not_reloaded(tab)
    page.locator(".run__title").click()
    page.get_by_role("link", name="Edit and run").click()
    expect(page.get_by_label("Text")).to_have_value("dumbwaiter")
    log_out(page)
    assert page.url == f"{proxy.url}/login"
    expect(other.locator("#live")).to_have_attribute("data-state", "signed-out")
    assert [address for address in asked if not address.startswith(f"{proxy.url}/")] == []
    assert context.cookies() == [], "its cookie is sent to it, and taken back by it"


def test_a_socket_and_its_cookie_belong_to_this_application(proxy: Proxy, ada: Person) -> None:
    (cookie,) = ada.cookies
    assert (cookie.path, cookie.secure) == (proxy.prefix or "/", True)
    with ada.socket() as socket:
        run = ada.submit("reverse_text", text="ab")
        frames = "".join(receive_until(socket, shows(run, "succeeded")))
    assert f'href="{proxy.prefix}/runs/{run}"' in frames


def test_an_upload_arrives_while_it_is_sent_and_parts_of_it_can_be_fetched(
    proxy: Proxy, stack: Stack, ada: Person, trusted: ssl.SSLContext
) -> None:
    processes = [*family(proxy.pid), *family(stack.process.pid)]
    before = {process: process.memory_info().rss for process in processes}
    connection = http.client.HTTPSConnection(HERE, proxy.port, timeout=PATIENCE_SECONDS, context=trusted)
    head = head_of("file", "large.bin")
    headers = {
        "Origin": ada.origin,
        "Cookie": ada.cookie,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(head) + UPLOAD_BYTES + len(END)),
    }
    connection.putrequest("POST", f"{proxy.prefix}/tasks/weigh")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(head)
    for sent in range(UPLOAD_BYTES // MB):
        connection.send(PIECE)
        if sent == UPLOAD_BYTES // MB // 2:
            until(lambda: arrived(stack) > UPLOAD_BYTES // 4, "the first half of the upload in the application")
            assert sum(path.stat().st_size for path in proxy.folder.rglob("*") if path.is_file()) < MB
    connection.send(END)
    answer = connection.getresponse()
    assert answer.status == 303, answer.read()
    run = str(answer.headers["Location"]).removeprefix(proxy.prefix)
    answer.read()
    grown = {process.name(): peak(process) - before[process] for process in processes if process.is_running()}
    assert max(grown.values()) < MOST_GROWTH_BYTES, grown

    until(lambda: ada.get(run).select_one("[data-state=succeeded]"), "the run")
    address = str(ada.get(run).select(".given-file__name")[0]["href"])
    connection.request("GET", address, headers={"Cookie": ada.cookie, "Range": "bytes=1000000-1000999"})
    part = connection.getresponse()
    assert (part.status, part.headers["Content-Range"]) == (206, f"bytes 1000000-1000999/{UPLOAD_BYTES}")
    assert part.read() == b"x" * 1000
    connection.close()


def arrived(stack: Stack) -> int:
    """Return how much of an unfinished upload the application has."""
    return sum(path.stat().st_size for path in (stack.data_dir / "files" / "new").glob("*"))


def family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def peak(process: psutil.Process) -> int:
    """Return the most memory that a process ever had, or 0 if it has ended."""
    with suppress(FileNotFoundError), open(f"/proc/{process.pid}/status") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), 0)
    return 0
