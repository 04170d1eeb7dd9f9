"""Addresses, queries and forms with what no database can store: none is an error of the server."""

import re

from flask import Flask

from jobs.runs.backend import Backend
from tests.support.visitor import Visitor
from webapp.accounts import users

LARGE = ("9" * 25, str(3_000_000_000))  # beyond 64 bits, and beyond 32
NAMES = ("after", "before", "invitation", "link", "log", "next", "page", "part", "q", "role", "sort", "state", "task")
FORM = dict.fromkeys(("email", "name", "password", "reason", "role", "user", "who", *NAMES), "\x00")
FORM |= {"group": "9" * 25, "what": "user"}
# These end the session or the account, and the dashboard answers for itself.
LEFT_OUT = ("/logout", "/account/delete", "/admin/rq", "/static", "/live")
UNAVAILABLE = 503


def test_no_address_is_an_error_of_the_server(app: Flask, backend: Backend) -> None:
    boss = Visitor(app).registered("boss@example.com")
    users.set_admin(backend.database, boss.email, True)
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(LEFT_OUT):
            continue
        for number in LARGE:
            path = re.sub(r"<(int|row):[^>]*>", number, rule.rule)
            address = f"{re.sub(r'<[^>]*>', 'x%00y', path)}?{'&'.join(f'{name}=%00{number}' for name in NAMES)}"
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                form = FORM if method == "POST" else None
                response = boss.client.open(
                    address, method=method, data=form, headers={"Sec-Fetch-Site": "same-origin"}
                )
                if response.status_code >= 500 and response.status_code != UNAVAILABLE:
                    found.append((method, rule.rule, number, response.status_code))
    assert found == []
