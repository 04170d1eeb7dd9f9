"""The OpenID Connect provider that people sign in by: where it is, its keys, and what it says of a person.

Nothing is asked of it before somebody signs in, so that a provider that is away delays no start. authlib, which takes
10 MB, is imported only where there is a provider.
"""

import importlib
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from config import Settings
from webapp.accounts import users

GROUPS_CLAIM = "groups"
SCOPES = "openid email profile"
WELL_KNOWN = "/.well-known/openid-configuration"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
ASK_SECONDS = (4, 10)  # to connect, and for each answer
KEPT_SECONDS = 3600.0
AGAIN_SECONDS = 5.0  # a provider that is away is not asked again before
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255  # by the standard
# Only signatures of the provider's published keys. Never "none", nor one with the client's secret as its key.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)

Document = Mapping[str, Any]


class ProviderAway(Exception):
    """The provider does not answer, or not with what it should."""


class NotBelieved(Exception):
    """The response to a sign-in could not be verified."""


class Flow(NamedTuple):
    """The values that a sign-in began with, and that its response must match."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class Claims(NamedTuple):
    """The claims about a person. `email` is empty unless the provider has verified it."""

    issuer: str
    subject: str
    email: str
    groups: frozenset[str]
    signed_in_at: float | None = None


def issuer_of(settings: Settings) -> str:
    """Return the name of the provider under which identities are kept; some spell theirs with a slash at its end."""
    return settings.oidc_issuer.rstrip("/")


class Provider:
    def __init__(self, settings: Settings) -> None:
        for name in ("authlib.integrations.requests_client", "authlib.oidc.core", "joserfc.jwt"):
            importlib.import_module(name)  # now, at the start: it would hold up the first sign-in, and everybody else
        self._settings = settings
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Document]] = {}
        self._away_until = 0.0

    def address(self, flow: Flow, fresh: bool = False) -> str:
        """Return where a person signs in; with `fresh`, again even if the provider knows them. Raises ProviderAway."""
        again = {"prompt": "login", "max_age": 0} if fresh else {}
        endpoint = self._description()["authorization_endpoint"]
        client = self._client(flow.redirect_uri)
        address, _state = client.create_authorization_url(
            endpoint, state=flow.state, code_verifier=flow.verifier, nonce=flow.nonce, **again
        )
        return str(address)

    def logout_address(self) -> str:
        """Return where a person logs out of the provider, or an empty string if it has no such address, or is away.

        It is not told to send them back, because many providers refuse addresses for that which were not registered.
        """
        try:
            endpoint = self._description().get("end_session_endpoint")
        except ProviderAway:
            return ""
        if not isinstance(endpoint, str) or urlsplit(endpoint).scheme not in ("https", "http"):
            return ""
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode({'client_id': self._settings.oidc_client_id})}"

    def claims(self, flow: Flow, code: str) -> Claims:
        """Exchange a code for what the provider says of the person. Raises ProviderAway and NotBelieved."""
        import requests
        from authlib.integrations.base_client import OAuthError

        description, client = self._description(), self._client(flow.redirect_uri)
        try:
            token = client.fetch_token(
                description["token_endpoint"], code=code, code_verifier=flow.verifier, allow_redirects=False
            )
            said = self._verified(token, flow.nonce)
            more = self._told(client, said) if self._lacks(said) else {}
        except (requests.RequestException, ValueError) as error:
            raise ProviderAway(type(error).__name__) from error
        except OAuthError as error:
            raise NotBelieved(str(error.error)) from error
        # An address counts only with the word for it in the same answer.
        email, groups = _verified_email(said) or _verified_email(more), self._groups(said) or self._groups(more)
        at = said.get("auth_time")
        is_time = isinstance(at, int | float) and not isinstance(at, bool)
        return Claims(issuer_of(self._settings), said["sub"], email, groups, at if is_time else None)

    def _verified(self, token: Document, nonce: str) -> Document:
        """Return the claims of an ID token that the provider has signed for this application and this sign-in."""
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        client_id = self._settings.oidc_client_id
        options: dict[str, dict[str, object]] = {
            "iss": {"essential": True, "value": self._description()["issuer"]},
            "aud": {"essential": True, "value": client_id},
        }
        expected = {"nonce": nonce, "client_id": client_id, "access_token": token.get("access_token")}
        try:
            signed = self._decoded(str(token.get("id_token", "")))
            CodeIDToken(signed.claims, signed.header, options, expected).validate(leeway=LEEWAY_SECONDS)
        except JoseError as error:
            raise NotBelieved(f"{error.error}: {error.description}") from error
        if not isinstance(signed.claims["sub"], str) or not 0 < len(signed.claims["sub"]) <= LONGEST_SUBJECT:
            raise NotBelieved("the subject is no text of up to 255 characters")
        claims: Document = signed.claims
        return claims

    def _decoded(self, id_token: str) -> Any:
        """Verify a signature. A key that is not known may be a new one: ask for the keys once more."""
        from joserfc.errors import BadSignatureError, InvalidKeyIdError

        try:
            return self._signed(id_token, self._keys())
        except (BadSignatureError, InvalidKeyIdError):
            return self._signed(id_token, self._keys(0.0))

    def _signed(self, id_token: str, keys: Document) -> Any:
        from joserfc import jwt
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        for_signing = [key for key in keys["keys"] if key.get("use", "sig") == "sig"]
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        return jwt.decode(id_token, KeySet.import_key_set({"keys": for_signing}), registry=registry)

    def _lacks(self, said: Document) -> bool:
        """Return whether an ID token leaves something to be asked for."""
        settings = self._settings
        wants_groups = bool(settings.oidc_groups_claim or settings.oidc_administrators or settings.oidc_allowed_groups)
        return not _verified_email(said) or (wants_groups and not self._groups(said))

    def _told(self, client: Any, said: Document) -> Document:
        """Return what the provider tells about the person beside the ID token."""
        endpoint = self._description().get("userinfo_endpoint")
        more = client.get(endpoint, allow_redirects=False).json() if endpoint else {"sub": said["sub"]}
        if not isinstance(more, dict) or more.get("sub") != said["sub"]:
            raise NotBelieved("it tells about somebody else")
        return more

    def _groups(self, said: Document) -> frozenset[str]:
        return _values_at(said, self._settings.oidc_groups_claim or GROUPS_CLAIM)

    def _client(self, redirect_uri: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        known = self._description().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        secret = self._settings.oidc_client_secret
        method = "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"
        return OAuth2Session(
            self._settings.oidc_client_id,
            secret or None,
            token_endpoint_auth_method=method if secret else "none",
            scope=SCOPES,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            default_timeout=ASK_SECONDS,
        )

    def _description(self) -> Document:
        issuer = issuer_of(self._settings)
        found = self._document(f"{issuer}{WELL_KNOWN}", ("issuer", *ENDPOINTS))
        if str(found["issuer"]).rstrip("/") != issuer:
            raise ProviderAway(f"it calls itself {found['issuer']!r}, not OIDC_ISSUER")
        return found

    def _keys(self, kept_seconds: float = KEPT_SECONDS) -> Document:
        return self._document(str(self._description()["jwks_uri"]), ("keys",), kept_seconds)

    def _document(self, url: str, members: Sequence[str], kept_seconds: float = KEPT_SECONDS) -> Document:
        """Return a document of the provider's, kept for a while, or longer if the provider does not answer."""
        with self._lock:  # one question at a time; those who wait for it share its answer
            at, kept = self._kept.get(url, (-KEPT_SECONDS, None))
            now = time.monotonic()
            if kept and now - at < kept_seconds:
                return kept
            try:
                self._kept[url] = now, self._asked(url, members)
            except ProviderAway:
                if kept is None:
                    raise
                return kept
            return self._kept[url][1]

    def _asked(self, url: str, members: Sequence[str]) -> Document:
        import requests

        if time.monotonic() < self._away_until:
            raise ProviderAway("it did not answer a moment ago")
        try:
            answer = requests.get(url, timeout=ASK_SECONDS, allow_redirects=False)
            document = answer.json() if answer.status_code == HTTPStatus.OK else {}
        except (requests.RequestException, ValueError) as error:
            self._away_until = time.monotonic() + AGAIN_SECONDS
            raise ProviderAway(type(error).__name__) from error
        if not isinstance(document, dict) or not all(document.get(member) for member in members):
            self._away_until = time.monotonic() + AGAIN_SECONDS
            raise ProviderAway(f"it does not answer at {url} as it should")
        return document


def _verified_email(said: Document) -> str:
    # Microsoft's word for a verified address is xms_edov, and some providers write true as a text.
    verified = any(said.get(name) in (True, "true", "1") for name in ("email_verified", "xms_edov"))
    email = said.get("email")
    return (users.normalised(email) if verified and isinstance(email, str) else None) or ""


def _values_at(said: Document, name: str) -> frozenset[str]:
    """Return the texts of a claim, or of one within others, such as realm_access.roles."""
    found: object = said.get(name)
    if found is None:
        found = said
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    values = found if isinstance(found, list) else [found]
    return frozenset(value for value in values if isinstance(value, str))
