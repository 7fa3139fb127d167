"""Single sign-on by OpenID Connect, with authlib: who logs in must be an expert already, known by subject or address.

The provider's answer is bound to the browser by state and nonce in a signed cookie that lives for ten minutes, and to
this server by PKCE.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from itsdangerous import BadSignature, URLSafeTimedSerializer

from solon.errors import ConfigError, SolonError
from solon.store.database import clock
from solon.store.database.audit_log import sealing_key

if TYPE_CHECKING:
    from solon.config.review import SsoConfig
    from solon.store.database.store import Store

COOKIE = "solon_sso"
SECONDS = 600
TIMEOUT = 10.0


class SsoFailed(SolonError):
    """The provider's answer is not to be trusted, or names nobody who is an expert here."""


class Sso:
    """One provider. Its addresses and keys are read when somebody first logs in."""

    def __init__(self, config: SsoConfig, secret: str, key: bytes) -> None:
        self._config, self._secret = config, secret
        self._signer = URLSafeTimedSerializer(key, salt="sso")
        self._about: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """What the button of the login page says."""
        return self._config.name

    async def begin(self, redirect_uri: str) -> tuple[str, str]:
        """Return the address to send the browser to, and the value of the cookie that it must bring back.

        Raises:
            SsoFailed: the provider cannot be reached, or is another one than configured.
        """
        from authlib.common.security import generate_token
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        about = await self._discover()
        state, nonce, verifier = generate_token(32), generate_token(32), generate_token(64)
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email",
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "redirect_uri": redirect_uri}
        url = about["authorization_endpoint"]
        return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}", str(self._signer.dumps(kept))

    async def finish(self, cookie: str, state: str, code: str) -> tuple[str, str | None]:
        """Return who has logged in, as `issuer|subject`, and their mail address where the provider has verified it.

        Args:
            cookie: the value that `begin` gave.
            state: the provider's, out of the address that the browser came back to.
            code: likewise.

        Raises:
            SsoFailed: saying what does not fit.
        """
        import hmac

        try:
            kept = self._signer.loads(cookie, max_age=SECONDS)
        except BadSignature:
            raise SsoFailed("this login took too long, or began elsewhere", next_step="begin again") from None
        if not code or not hmac.compare_digest(str(kept["state"]).encode(), state.encode()):
            raise SsoFailed("this answer belongs to no login of this browser", next_step="begin again")
        claims = await self._claims(kept, code)
        email = claims.get("email") if claims.get("email_verified") is True else None
        return f"{claims['iss']}|{claims['sub']}", str(email).lower() if email else None

    async def _claims(self, kept: dict[str, Any], code: str) -> dict[str, Any]:
        from authlib.integrations.base_client.errors import OAuthError
        from authlib.integrations.httpx_client import AsyncOAuth2Client
        from httpx import HTTPError
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        about = await self._discover()
        try:
            async with AsyncOAuth2Client(
                self._config.client_id, self._secret, redirect_uri=kept["redirect_uri"], timeout=TIMEOUT
            ) as client:
                token = await client.fetch_token(
                    about["token_endpoint"], code=code, code_verifier=kept["verifier"]
                )
                keys = (await client.request("GET", about["jwks_uri"], withhold_token=True)).json()
            decoded = jwt.decode(
                str(token.get("id_token", "")), KeySet.import_key_set(keys), algorithms=ALGORITHMS
            )
            rules = jwt.JWTClaimsRegistry(
                now=int(clock.now()),
                leeway=60,
                iss={"essential": True, "value": about["issuer"]},
                aud={"essential": True, "value": self._config.client_id},
                sub={"essential": True},
                exp={"essential": True},
                nonce={"essential": True, "value": kept["nonce"]},
            )
            rules.validate(decoded.claims)
        except (OAuthError, JoseError, HTTPError, ValueError) as error:
            raise SsoFailed(
                f"the provider's answer does not hold ({type(error).__name__})", next_step="begin again"
            ) from None
        return dict(decoded.claims)

    async def _discover(self) -> dict[str, Any]:
        if self._about is None:
            import httpx

            issuer = self._config.issuer.rstrip("/")
            try:
                async with httpx.AsyncClient(timeout=TIMEOUT) as http:
                    answer = await http.get(f"{issuer}/.well-known/openid-configuration")
                    about = answer.raise_for_status().json()
            except (httpx.HTTPError, ValueError) as error:
                raise SsoFailed(
                    f"the identity provider cannot be reached ({type(error).__name__})",
                    next_step="use a link or token, or try again",
                ) from None
            if str(about.get("issuer", "")).rstrip("/") != issuer:
                raise SsoFailed("the provider calls itself by another name than [sso] issuer")
            self._about = about
        return self._about


ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


def sso_of(store: Store, config: SsoConfig) -> Sso | None:
    """Return the identity provider that the configuration names; None where it names none.

    Raises:
        ConfigError: a package, the client's id or its secret is missing, or the issuer is no https address.
    """
    if not config.issuer:
        return None
    try:
        import authlib  # noqa: F401
        import httpx  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"[sso] needs the package {error.name}", next_step="pip install 'solon[sso]'"
        ) from None
    secret = os.environ.get(config.secret_env, "")
    if not config.client_id or not secret:
        raise ConfigError(
            f"[sso] needs client_id, and the client's secret in {config.secret_env}",
            next_step="register this server with the provider; its redirect address ends in /sso/back",
        )
    loopback = config.issuer.startswith(("http://127.0.0.1", "http://localhost"))
    if not config.issuer.startswith("https://") and not loopback:
        raise ConfigError(f"[sso] issuer: {config.issuer!r} is no https address")
    return Sso(config, secret, sealing_key(store, "sso"))
