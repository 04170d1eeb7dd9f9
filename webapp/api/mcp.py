"""The Model Context Protocol over streamable HTTP: programs such as assistants use every task as a tool.

Revision 2026-07-28 has no sessions: each request names its revision and stands alone. In the two revisions before it a
client begins with a handshake. Answering that keeps no state either, so these clients are served as well.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing

from flask import Blueprint, Response, current_app, jsonify, make_response, request, stream_with_context

from webapp.api import mcp_tools, messages
from webapp.api.authentication import caller
from webapp.api.body import json_object
from webapp.api.mcp_tools import Json, Steps
from webapp.api.waiting import EVENTS, HEARTBEAT
from webapp.current import MCP
from webapp.problems import Problem, refuse
from webapp.security import comes_from_here

bp = Blueprint("mcp", __name__)

CURRENT = "2026-07-28"
EARLIER = ("2025-11-25", "2025-06-18")
META = "io.modelcontextprotocol/"
PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022
ENCODED = re.compile(r"=\?base64\?(.*)\?=")
FRESH = {"ttlMs": 60_000, "cacheScope": "private"}
ABOUT = {"capabilities": {"tools": {}}, "instructions": messages.INSTRUCTIONS}


class Fault(Exception):
    """A request that is answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, **data: object) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({"data": data} if data else {})
        self.status = 404 if code == UNKNOWN_METHOD else 400


@bp.post(MCP)
def receive() -> Response:
    """Answer a request. A notification is only acknowledged: none has an effect here."""
    # No page of another site has a token, unless somebody gave it one. Even then the protocol wants it refused.
    if "Origin" in request.headers and not comes_from_here(request):
        refuse(403, messages.FOREIGN)
    caller()
    message: Json = {}
    try:
        message = _message()
        if "id" not in message:
            return Response(status=202)
        answer = _answer(message, _is_current(message))
    except Fault as fault:
        return make_response({"jsonrpc": "2.0", "id": message.get("id"), "error": fault.error}, fault.status)
    if isinstance(answer, dict):
        return jsonify(_reply(message, answer))
    frames = stream_with_context(_frames(message, answer))
    return Response(frames, mimetype=EVENTS, headers={"X-Accel-Buffering": "no"})


def _message() -> Json:
    """Return the request or notification in the body; a notification has no id."""
    try:
        message = json_object()
    except Problem as problem:
        raise Fault(PARSE_ERROR, str(problem.description)) from None
    identifier, parameters = message.get("id", 0), message.setdefault("params", {})
    is_one = message.get("jsonrpc") == "2.0" and isinstance(message.get("method"), str) and isinstance(parameters, dict)
    if not is_one or not isinstance(identifier, str | int) or isinstance(identifier, bool):
        raise Fault(INVALID_REQUEST, messages.NO_REQUEST)
    message["meta"] = meta if isinstance(meta := parameters.get("_meta"), dict) else {}
    return message


def _is_current(message: Json) -> bool:
    """Return whether a request is of the current revision, and not of one that begins with a handshake.

    Headers repeat parts of the body for what stands between client and server, which must not be deceived by them.
    """
    header, version = request.headers.get("MCP-Protocol-Version"), message["meta"].get(f"{META}protocolVersion")
    if version is None and header in (None, *EARLIER):
        return False
    if header != (version or header):
        raise Fault(HEADER_MISMATCH, messages.OTHER_HEADER.format(name="MCP-Protocol-Version"))
    if header != CURRENT:
        raise Fault(UNSUPPORTED_VERSION, messages.NO_VERSION, supported=[CURRENT, *EARLIER], requested=header)
    if version is None or f"{META}clientCapabilities" not in message["meta"]:
        raise Fault(INVALID_PARAMS, messages.NO_META)
    named = {"Mcp-Name": message["params"].get("name")} if message["method"] == "tools/call" else {}
    for name, value in {"Mcp-Method": message["method"], **named}.items():
        if _decoded(request.headers.get(name, "")) != value:
            raise Fault(HEADER_MISMATCH, messages.OTHER_HEADER.format(name=name))
    return True


def _decoded(header: str) -> str | None:
    found = ENCODED.fullmatch(header)
    try:
        return base64.b64decode(found[1], validate=True).decode() if found else header
    except ValueError:  # also of bytes that are no text
        return None


def _answer(message: Json, is_current: bool) -> Json | Steps:
    """Return the result of a request, or the steps to it."""
    parameters = message["params"]
    match message["method"], is_current:
        case "tools/list", _:
            return {"tools": mcp_tools.listed(), **FRESH}
        case "tools/call", _:
            name, given = parameters.get("name"), parameters.get("arguments")
            given = {} if given is None else given
            if not isinstance(given, dict) or not mcp_tools.exists(str(name)):
                raise Fault(INVALID_PARAMS, messages.NO_TOOL)
            return mcp_tools.call(str(name), given, cancels=is_current)
        case "server/discover", True:
            return {"supportedVersions": [CURRENT, *EARLIER], **ABOUT, **FRESH}
        case "initialize", False:
            version = parameters.get("protocolVersion")
            return {"protocolVersion": version if version in EARLIER else EARLIER[0], "serverInfo": _server(), **ABOUT}
        case "ping", False:
            return {}
    raise Fault(UNKNOWN_METHOD, messages.NO_METHOD)


def _frames(message: Json, steps: Steps) -> Iterator[str]:
    """Stream progress, if the client has asked for it, and the result."""
    token = message["meta"].get("progressToken")
    with closing(steps):  # at once when the client is gone
        for step in steps:
            if step is None or ("progress" in step and not isinstance(token, str | int)):
                yield HEARTBEAT.decode()
            else:
                progress = {"method": "notifications/progress", "params": {"progressToken": token, **step}}
                sent = {"jsonrpc": "2.0", **progress} if "progress" in step else _reply(message, step)
                yield f"event: message\ndata: {json.dumps(sent, ensure_ascii=False)}\n\n"


def _reply(message: Json, result: Json) -> Json:
    own: Json = {"resultType": "complete", "_meta": {f"{META}serverInfo": _server()}} if result else {}
    return {"jsonrpc": "2.0", "id": message["id"], "result": own | result}


def _server() -> Json:
    return {"name": current_app.jinja_env.globals["app_name"], "version": "1"}
