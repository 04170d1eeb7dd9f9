"""The reference for sockets: what flask-sock's documentation shows, with our gunicorn configuration around it.

Its handler accepts and then waits for ever, and its one view sends what is posted to it to every open socket in a plain
loop. Pings come as often as ours: without them neither side would keep a connection through a proxy.
"""

from collections.abc import Callable

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Server

PING_SECONDS = 25


class NoHub:
    """What our gunicorn configuration speaks to."""

    def stop_when(self, is_alive: Callable[[], bool]) -> None:
        """Nobody is sent away here."""

    def send_away(self) -> None:
        """Nor here."""


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
