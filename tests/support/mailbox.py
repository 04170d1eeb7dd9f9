"""A real SMTP server that keeps the mails it accepts."""

import email.policy
import ssl
from email.message import EmailMessage
from email.parser import BytesParser
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.stack import free_port

USER, PASSWORD = "mailer", "p@ss:word/1"
ESCAPED = "mailer:p%40ss%3Aword%2F1"
ACCEPTED = "250 OK"


class Mailbox:
    """`answers` is what the server says to a recipient or a message; `tries` counts the recipients named."""

    def __init__(self, **options: Any) -> None:
        self.messages: list[EmailMessage] = []
        self.signed_in: list[str] = []
        self.tries = 0
        self.to_recipient = self.to_message = ACCEPTED
        self._controller = Controller(
            self,
            "127.0.0.1",
            free_port(),
            authenticator=self._authenticate if "auth_require_tls" in options else None,
            **options,
        )

    @property
    def port(self) -> int:
        return self._controller.port

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def last(self) -> EmailMessage:
        return self.messages[-1]

    async def handle_RCPT(  # aiosmtpd names it
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        self.tries += 1
        if self.to_recipient == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.to_message == ACCEPTED:
            self.messages.append(BytesParser(EmailMessage, policy=email.policy.default).parsebytes(envelope.content))
        return self.to_message

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.signed_in.append(given.password.decode())
        return AuthResult(success=(given.login.decode(), given.password.decode()) == (USER, PASSWORD))

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._controller.stop()


class TlsMailbox(Mailbox):
    """One that speaks TLS from the beginning, as `smtps://` means."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(ssl_context=context, auth_require_tls=False)


class StartTlsMailbox(Mailbox):
    """One that offers STARTTLS, and sign-in only after it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(tls_context=context, auth_require_tls=True)
