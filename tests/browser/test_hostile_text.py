"""In the browser: whatever a user, or a task on a user's behalf, writes is shown as text and never becomes a page.

The policy would stop most of these scripts; the fixtures fail a test for what it has to stop, because then the text has
become HTML. Every text that could bring an element gives it the class `owned`, every request it could cause goes to
/owned, and every script it could run sets `window.owned`.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, expect
from sqlalchemy import update

from jobs.runs import events
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.browser.conftest import open_live, user_of, was_not_reloaded
from tests.support.people import make_run
from tests.support.tasks.reverse_text import reverse_text
from webapp.accounts.users import Account

TEXTS = (
    "<script class=owned>window.owned=1</script>",
    '"><img class=owned src=/owned onerror=window.owned=1>',
    "'><img class=owned src=/owned onerror=window.owned=1>",
    "</textarea><svg class=owned onload=window.owned=1>",
    "</pre></title></style></script><script class=owned src=/owned></script>",
    '<a class=owned href="javascript:window.owned=1">javascript:window.owned=1</a>',
    "javascript:window.owned=1//",
    "{{ 7 * 7 }} {% include 'layout.html' %} ${7*7} <%= 7*7 %>",
    '<b class=owned hx-get="/owned" hx-trigger="load" hx-on:click="window.owned=1">htmx</b>',
    '" hx-get="/owned" hx-trigger="load" class="owned" x="',
    '</hx-partial><hx-partial hx-target="body" hx-swap="innerHTML"><b class=owned>htmx</b></hx-partial>',
    '<div id="main" class=owned hx-swap-oob="true">out of band</div>',
    '<div class=owned hx-ws:connect="/owned"></div>',
    "<svg class=owned><script>window.owned=1</script><animate onbegin=window.owned=1></svg>",
    '<math class=owned><mtext><mglyph><style><!--</style><img title="--><img src=/owned onerror=window.owned=1>">',
    '<noscript><p title="</noscript><img class=owned src=/owned onerror=window.owned=1>">',
    '{"content": "<img class=owned src=/owned onerror=window.owned=1>", "target": "body"}',
    '<iframe class=owned srcdoc="<script>parent.owned=1</script>"></iframe>',
    '<base class=owned href="/owned/"><meta class=owned http-equiv="refresh" content="0;url=/owned">',
    "<style class=owned>@import '/owned'; * { display: none }</style><link class=owned rel=stylesheet href=/owned>",
    "<!-- <template class=owned> <plaintext> ]]> -->",
    "&lt;script&gt; &#60;b class=owned&#62; &amp;amp; %3Cb%20class=owned%3E \\u003cb class=owned\\u003e",
    "control \x01\x08\x1b[31m\x7f\x85 and \ufeff\u2028\u2029\ufffe too",
    "right to left \u202e gnp.exe \u202c \u2066 isolated \u2067\u200f\u061c unclosed",
    "<form class=owned action=/owned><input name=owned><button formaction=javascript:window.owned=1>go",
)
ALL = "\n".join(TEXTS)
# Several in one place, where a page is loaded for each: the first that breaks out takes the others with it.
TOGETHER = [" ".join(TEXTS[start : start + 5]) for start in range(0, len(TEXTS), 5)]
HARMLESS = "harmless"
NOW = utcnow()
LATER = NOW + timedelta(minutes=30)
ENDED = {"started_at": NOW, "ended_at": NOW}
# Where a run carries text, in each state that shows some.
FACES: dict[State, Callable[[str], dict[str, Any]]] = {
    State.SUCCEEDED: lambda text: {"result": text, **ENDED},
    State.FAILED: lambda text: {**error(text), **ENDED},
    State.RUNNING: lambda text: {"progress": 0.4, "progress_note": text[:200], "started_at": NOW, **held()},
    State.QUEUED: lambda text: {**error(text), "due_at": LATER, "attempt": 2, "failures": 1},
}


def error(text: str) -> dict[str, str]:
    return {"error_kind": text[:100], "error_message": text, "error_traceback": text}


def held() -> dict[str, Any]:
    return {"lease_token": "0" * 32, "lease_expires_at": LATER}


@pytest.fixture(autouse=True)
def nothing_happens(context: BrowserContext) -> Iterator[None]:
    """No text opens a dialog or has the browser ask for anything."""
    happened: list[str] = []

    def refuse(dialog: Dialog) -> None:
        happened.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def note(url: str) -> None:
        if urlsplit(url).path.startswith("/owned"):
            happened.append(url)

    context.on("dialog", refuse)
    context.on("request", lambda request: note(request.url))
    context.on("page", lambda page: page.on("websocket", lambda socket: note(socket.url)))
    yield
    assert happened == []


def assert_only_text(page: Page) -> None:
    assert page.evaluate("window.owned") is None
    assert page.locator(".owned").evaluate_all("found => found.map(one => one.outerHTML)") == []


def mine(backend: Backend, page: Page, state: State, count: int) -> list[Run]:
    """Runs of the page's user that carry nothing bad yet."""
    owner = user_of(page, backend)
    values = {"state": state, "parameters": {"text": HARMLESS}, **FACES[state](HARMLESS)}
    return [make_run(backend, owner, **values) for _ in range(count)]


def rewrite(backend: Backend, runs: Sequence[Run], texts: Sequence[str]) -> None:
    """Write a text into every field of each run, and publish the change."""
    with backend.database.write() as session:
        for run, text in zip(runs, texts, strict=True):
            values = {**FACES[run.state](text), "parameters": {"text": text, text: text}, "version": 2}
            session.execute(update(Run).where(Run.id == run.id).values(values))
    events.publish(backend.redis, *[Change(run.id, run.owner_id, 2) for run in runs])


def pages_text(page: Page, selector: str) -> str:
    return str(page.locator(selector).text_content())


@pytest.mark.parametrize("state", FACES)
def test_hostile_text_in_the_history_is_only_text(page: Page, backend: Backend, state: State) -> None:
    runs = mine(backend, page, state, len(TEXTS))
    open_live(page, f"/runs?state={state}")
    rewrite(backend, runs, TEXTS)
    expect(page.locator("#runs-list > .run[data-version='2']")).to_have_count(len(TEXTS))
    assert was_not_reloaded(page)
    for _way in ("pushed", "loaded"):
        for run, text in zip(runs, TEXTS, strict=True):
            assert text in pages_text(page, f"#run-{run.id} .run__body")
            assert text[:60] in pages_text(page, f"#run-{run.id} .run__parameters")
        assert_only_text(page)
        page.reload()


@pytest.mark.parametrize("state", FACES)
def test_hostile_text_on_a_runs_own_page_is_only_text(page: Page, backend: Backend, state: State) -> None:
    (run,) = mine(backend, page, state, 1)
    open_live(page, f"/runs/{run.id}")
    rewrite(backend, [run], [ALL])
    expect(page.locator("article[data-version='2']")).to_be_visible()
    assert was_not_reloaded(page)
    shown = ALL[:200] if state is State.RUNNING else ALL
    for _way in ("pushed", "loaded"):
        assert shown in pages_text(page, ".run-full__body")
        assert ALL in pages_text(page, ".run-full__facts")
        assert_only_text(page)
        page.reload()


def test_a_form_is_filled_with_hostile_text_as_it_is(page: Page, backend: Backend) -> None:
    (run,) = mine(backend, page, State.SUCCEEDED, 1)
    rewrite(backend, [run], [ALL])
    open_live(page, f"/tasks/reverse_text?run={run.id}")
    expect(page.get_by_label("Text")).to_have_value(ALL)
    assert_only_text(page)
    page.get_by_role("button", name="Run", exact=True).click()  # it is longer than the field allows
    expect(page.locator("#text-error")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value(ALL)
    assert_only_text(page)
    assert was_not_reloaded(page)


def test_a_field_that_refuses_hostile_text_keeps_it_as_it_is(page: Page) -> None:
    open_live(page, "/tasks/factorise")
    text = " ".join(text for text in TEXTS if text.isprintable())
    field = page.get_by_label("Number")
    field.evaluate("field => field.removeAttribute('maxlength')")
    field.fill(text)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#number-error")).to_be_visible()
    expect(field).to_have_attribute("value", text)
    assert_only_text(page)
    assert was_not_reloaded(page)


def test_a_task_may_return_hostile_text(page: Page) -> None:
    open_live(page, "/tasks/reverse_text")
    halves = ("\n".join(TEXTS[:12])[:1000], "\n".join(TEXTS[12:])[:1000])
    for count, text in enumerate(halves, 1):
        page.get_by_label("Text").fill(reverse_text(text))
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator(".run[data-state=succeeded]")).to_have_count(count)
        result = page.locator(".run .result--text").first
        assert result.text_content() == reverse_text(reverse_text(text))
        assert_only_text(page)
    assert was_not_reloaded(page)


def test_hostile_text_in_the_header_is_only_text(page: Page, backend: Backend) -> None:
    user = user_of(page, backend)
    for text in TOGETHER:
        email = f"{text}{user}"
        with backend.database.write() as session:
            session.execute(update(Account).where(Account.id == user).values(email=email))
        page.goto("/")
        assert page.locator(".menu__email").text_content() == email
        expect(page.locator(".account__button")).to_have_attribute("title", email)
        assert_only_text(page)


def test_hostile_text_in_an_address_is_only_text(page: Page) -> None:
    for text in TOGETHER:
        for path in ("/runs?task={0}&state={0}&before={0}", "/tasks/reverse_text?run={0}&{0}={0}", "/tasks/{0}"):
            page.goto(path.format(quote(text, safe="")))
            assert_only_text(page)


def test_hostile_text_in_the_forms_for_visitors_is_only_text(context: BrowserContext) -> None:
    page = context.new_page()
    for text in TOGETHER:
        page.goto(f"/login?next=/{quote(text, safe='')}")
        assert_only_text(page)
    for path, button in (("/login", "Log in"), ("/register", "Create account")):
        page.goto(path)
        page.get_by_label("E-mail address").fill(TEXTS[1])
        page.get_by_label("Password").fill(TEXTS[1])
        page.locator("main").get_by_role("button", name=button).click()
        expect(page.locator(".field__error").first).to_be_visible()
        expect(page.get_by_label("E-mail address")).to_have_value(TEXTS[1])
        assert_only_text(page)
