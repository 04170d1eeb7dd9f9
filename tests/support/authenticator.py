"""An authenticator app, and the time by which its codes are computed."""

import pyotp

from tests.support.visitor import Visitor, soup, the

START = 1_800_000_000.0


class Clock:
    """The time by which codes are computed: it passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = START

    def time(self) -> float:
        return self.seconds


class Phone:
    def __init__(self, key: str, clock: Clock) -> None:
        self._app, self._clock = pyotp.TOTP(key), clock

    def code(self, steps: int = 0) -> str:
        """Return a code that was not used yet, of a step that is now or was."""
        return self._app.generate_otp(int(self._clock.seconds) // 30 + steps)

    def next_code(self) -> str:
        self._clock.seconds += 30
        return self.code()


def set_up(visitor: Visitor, clock: Clock) -> tuple[Phone, list[str]]:
    page = soup(visitor.post("/account/2fa/begin"))
    phone = Phone(the(page, "code.tokens__secret").text.replace(" ", ""), clock)
    done = visitor.post("/account/2fa/on", {"code": phone.code()})
    assert done.status_code == 200, done.text
    return phone, [one.text for one in soup(done).select(".recovery code")]
