"""The page of settings: as they are, where they come from, without secrets."""

from dataclasses import replace

from jobs.runs.backend import Backend
from tests.support.visitor import Visitor, soup, the
from webapp import create_app
from webapp.accounts import users

HIDDEN = "do-not-show-this"


def test_an_administrator_sees_the_settings_without_secrets_and_what_is_wrong(backend: Backend) -> None:
    given = {
        "secret_key": HIDDEN * 3,
        "secret_key_previous": HIDDEN,
        "redis_url": f"redis://ada:{HIDDEN}@127.0.0.1:1/0?password={HIDDEN}",
        "user_queued_runs": 7,
    }
    one = replace(backend, settings=backend.settings.model_copy(update=given))
    boss = Visitor(create_app(one)).registered("boss@example.com")
    users.set_admin(backend.database, boss.email, True)
    response = boss.get("/admin/settings/")
    assert response.status_code == 200
    assert HIDDEN not in response.text
    page = soup(response)
    shown = {
        "SECRET_KEY": ("set", "from the environment"),
        "USER_QUEUED_RUNS": ("7", "from the environment"),
        "USER_QUOTA_MB": ("5000", "default"),
        "PUBLIC_URL": ("not set", "default"),
        "REDIS_URL": ("redis://…@127.0.0.1:1/0?…", "from the environment"),
    }
    for name, words in shown.items():
        text = the(page, f"#setting-{name}").text
        assert all(word in text for word in words), text
    assert "Wrong Redis: not reachable" in page.text
    assert "Fine database" in page.text
