"""An OpenID Connect provider, made of authlib's server part, that listens on this machine and signs people in.

It keeps the standard's rules: codes are used once, for the client, address and verifier that they were asked with. A
test can have it lie (`spoil`), turn people away, change its key, and go down.
"""

import base64
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import requests
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, abort, jsonify, request
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey
from werkzeug.serving import make_server

from tests.support.stack import free_port

CLIENT_ID, CLIENT_SECRET = "dumbwaiter", "a secret of the client's"
ALGORITHMS = ["ES256", "HS256"]

Token = dict[str, Any]


class Client(ClientMixin):
    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.endswith("/login/sso/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code(AuthorizationCodeMixin):
    def __init__(self, code: str, asked: Any) -> None:
        data = asked.payload.data
        self.code, self.user, self.scope = code, asked.user, asked.scope
        self.redirect_uri, self.nonce = asked.payload.redirect_uri, data["nonce"]
        self.code_challenge = data.get("code_challenge")
        self.code_challenge_method = data.get("code_challenge_method")
        self.auth_time = int(time.time())

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_nonce(self) -> str:
        return str(self.nonce)

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Provider:
    """`people` are its claims by subject, and `spoil` is called with the header and claims of each ID token."""

    def __init__(self) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.people: dict[str, Token] = {}
        self.tells: dict[str, Token] = {}
        self.spoil: Callable[[Token, Token], None] = lambda header, claims: None
        self.asked: list[str] = []
        self.has_logout = True
        self.issuing = self.published = _new_key()
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, str] = {}
        self._server: Any = None

    def settings(self) -> dict[str, str]:
        return {"oidc_issuer": self.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}

    def __enter__(self) -> "Provider":
        self._server = make_server("127.0.0.1", self.port, _application(self), threaded=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rotate(self) -> None:
        """Sign with a new key, and publish that alone."""
        self.issuing = self.published = _new_key()

    def sign_in(self, address: str, subject: str) -> str:
        """Sign somebody in where the application has redirected to, and return where the provider redirects to."""
        answer = requests.post(address, {"subject": subject}, allow_redirects=False, timeout=20)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)


def _application(provider: Provider) -> Flask:
    app = Flask("provider")
    server = AuthorizationServer(app, lambda client_id: Client() if client_id == CLIENT_ID else None, _keep(provider))
    server.register_grant(_grant(provider), [CodeChallenge(required=True), _tokens(provider)])

    @app.before_request
    def count() -> None:
        provider.asked.append(request.path)

    @app.get("/.well-known/openid-configuration")
    def describe() -> Response:
        places = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        places |= {"end_session": "logout"} if provider.has_logout else {}
        endpoints = {f"{name}_endpoint": f"{provider.issuer}/{path}" for name, path in places.items()}
        return jsonify(issuer=provider.issuer, jwks_uri=f"{provider.issuer}/keys", **endpoints)

    @app.get("/keys")
    def keys() -> Response:
        return jsonify(KeySet([provider.published]).as_dict(private=False))

    @app.get("/authorize")
    def ask() -> str:
        server.get_consent_grant(end_user=None)
        return "<title>Provider</title><form method=post><input name=subject><button>Sign in</button></form>"

    @app.post("/authorize")
    def authorize() -> Response:
        subject = request.form["subject"]
        grant = server.get_consent_grant(end_user=subject)
        person = subject if subject in provider.people else None
        answer: Response = server.create_authorization_response(grant_user=person, grant=grant)
        return answer

    @app.post("/token")
    def token() -> Response:
        answer: Response = server.create_token_response()
        return answer

    @app.get("/logout")
    def log_out() -> str:
        assert request.args["client_id"] == CLIENT_ID
        return "You are logged out."

    @app.get("/userinfo")
    def userinfo() -> Response:
        subject = provider.tokens.get(request.headers["Authorization"].removeprefix("Bearer ")) or abort(401)
        return jsonify({"sub": subject, **provider.tells.get(subject, {})})

    return app


def _keep(provider: Provider) -> Callable[[Token, Any], None]:
    def keep(token: Token, asked: Any) -> None:
        provider.tokens[token["access_token"]] = asked.user

    return keep


def _grant(provider: Provider) -> type:
    class Grant(grants.AuthorizationCodeGrant):
        def save_authorization_code(self, code: str, asked: Any) -> None:
            provider.codes[code] = Code(code, asked)

        def query_authorization_code(self, code: str, _client: Client) -> Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, code: Code) -> None:
            del provider.codes[code.code]

        def authenticate_user(self, code: Code) -> str:
            return str(code.user)

    return Grant


def _tokens(provider: Provider) -> OpenIDCode:
    class Tokens(OpenIDCode):
        def exists_nonce(self, nonce: str, _asked: Any) -> bool:
            return any(code.nonce == nonce for code in provider.codes.values())

        def generate_user_info(self, subject: str, _scope: str) -> UserInfo:
            return UserInfo(sub=subject, **provider.people[subject])

        def get_client_algorithm(self, _client: Client) -> str:
            return "ES256"

        def get_client_claims(self, _client: Client) -> Token:
            return {"iss": provider.issuer, "aud": [CLIENT_ID]}

        def resolve_client_private_key(self, _client: Client) -> ECKey:
            return provider.issuing

        def encode_id_token(self, token: Token, asked: Any) -> str:
            honest = jwt.decode(super().encode_id_token(token, asked), provider.issuing, ["ES256"])
            header = {"alg": "ES256", "kid": provider.issuing.kid}
            provider.spoil(header, honest.claims)
            if header["alg"] == "none":
                return ".".join((*(_part(json.dumps(one)) for one in (header, honest.claims)), ""))
            secret = OctKey.import_key(CLIENT_SECRET) if header["alg"] == "HS256" else provider.issuing
            return jwt.encode(header, honest.claims, secret, ALGORITHMS)

    return Tokens()
