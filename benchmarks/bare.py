"""The reference server for sockets: the example of flask-sock's documentation under our gunicorn configuration.

Its handler accepts a socket and waits forever, and its view sends the posted text to every open socket in a plain loop.
It pings as often as our server, because neither could keep connections through a proxy without pings.
"""

from collections.abc import Callable

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Server

PING_SECONDS = 25


class NoHub:
    """A stub for the hub that our gunicorn configuration expects."""

    def stop_when(self, is_alive: Callable[[], bool]) -> None:
        """Do nothing."""

    def close_pages(self) -> None:
        """Do nothing: the reference does not close its pages."""


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_SECONDS}
    app.extensions["hub"] = NoHub()
    sock, here = Sock(app), set[Server]()

    @sock.route("/live")  # type: ignore[untyped-decorator]  # flask-sock has no types
    def stream(socket: Server) -> None:
        here.add(socket)
        try:
            while True:
                socket.receive()
        finally:
            here.discard(socket)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post("/publish")
    def publish() -> str:
        frame = request.get_data(as_text=True)
        for socket in list(here):
            socket.send(frame)
        return ""

    return app
