"""A receiver of webhooks: a real HTTP server that keeps what it is sent and answers as it is told."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from standardwebhooks.webhooks import Webhook as Verifier


@dataclass
class Received:
    """A request to the receiver."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """Return the message; raise WebhookVerificationError if the secret has not signed it."""
        return Verifier(secret).verify(self.body, self.headers)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore connections that a killed sender has broken off."""


Reply = tuple[int, dict[str, str]]


def nothing() -> None:
    pass


def no_content(_received: Received) -> Reply:
    return 204, {}


class Receiver:
    """`answer` is called for each request and returns status and headers; it may also wait or kill somebody.

    `connected` is called before a request is read, and `answered` when the sender has read the answer and closed.
    `asked_for` has the names that senders have asked for by TLS.
    """

    def __init__(self, answer: Callable[[Received], Reply] = no_content, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.connected: Callable[[], None] = nothing
        self.answered: Callable[[], None] = nothing
        self.received: list[Received] = []
        self.asked_for: list[str | None] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def setup(self) -> None:
                receiver.connected()
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.received.append(received)
                status, headers = receiver.answer(received)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.flush()
                self.rfile.read(1)
                receiver.answered()

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if context:
            context.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.allow = f"127.0.0.1:{self.port}"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
