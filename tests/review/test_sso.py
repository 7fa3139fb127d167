"""Single sign-on against a fake issuer on a port of its own: who is let in, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("authlib", reason="pip install 'solon[sso]'")
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from solon.config import parse_config
from solon.errors import ConfigError
from solon.project import Project
from solon.review.auth import COOKIE
from solon.review.sso import COOKIE as PENDING
from solon.review.sso import sso_of


class FakeIssuer:
    """An identity provider that logs in whomever a test names. A fake: it asks for no password."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.signed_with = self.key
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                keys = KeySet([issuer.key]).as_dict(private=False)
                about = {
                    "issuer": issuer.url,
                    "authorization_endpoint": f"{issuer.url}/authorize",
                    "token_endpoint": f"{issuer.url}/token",
                    "jwks_uri": f"{issuer.url}/keys",
                }
                self.reply(keys if self.path == "/keys" else about)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
                proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if form["code"] != ["a-code"] or proof != issuer.asked["code_challenge"]:
                    self.reply({"error": "invalid_grant"}, 400)
                    return
                self.reply({"access_token": "x", "token_type": "Bearer", "id_token": issuer.id_token()})

            def reply(self, body: Any, status: int = 200) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": "solon", "sub": "u1", "iat": now, "exp": now + 300,
            "nonce": self.asked["nonce"], "email": "ada@example.org", "email_verified": True,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": "k1"}, {**claims, **self.claims}, self.signed_with)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    made = FakeIssuer()
    yield made
    made.close()


@pytest.fixture
def configured(project: Project, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SOLON_SSO_SECRET", "the client's secret")
    sso = {"issuer": issuer.url, "client_id": "solon", "name": "Example Hospital"}
    project.config = project.config.model_copy(update={"sso": parse_config({"sso": sso}).sso})
    return project


async def come_back(http: Any, issuer: FakeIssuer, **changed: str) -> Any:
    """Press the button, be logged in there, and come back."""
    away = await http.get("/sso")
    assert away.status_code == 303, away.text
    url = urlsplit(away.headers["location"])
    issuer.asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    http.cookies.set(PENDING, away.cookies[PENDING], path="/sso")
    query = {"state": issuer.asked["state"], "code": "a-code", **changed}
    return await http.get("/sso/back", params=query)


def test_an_expert_is_known_by_address_first_and_by_subject_then(
    configured: Project, person: Any, serving: Any, client: Any, issuer: FakeIssuer
) -> None:
    person("Ada", email="Ada@example.org")

    async def go() -> None:
        async with serving(configured) as app, client(app) as http:
            assert "Example Hospital" in (await http.get("/login")).text
            back = await come_back(http, issuer)
            assert (back.status_code, back.headers["location"]) == (303, "/")
            http.cookies.set(COOKIE, back.cookies[COOKIE])
            assert (await http.get("/api/v1/me")).json()["name"] == "Ada"
        issuer.claims = {"email": "someone.else@example.org"}
        async with serving(configured) as app, client(app) as http:
            assert (await come_back(http, issuer)).status_code == 303

    asyncio.run(go())


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False}, {"email": "nobody@example.org"}, {"aud": "another"}, {"nonce": "stale"},
        {"iss": "https://evil.example.org"}, {"exp": 1}, {"sub": None},
    ],
    ids=lambda claims: next(iter(claims)),
)  # fmt: skip
def test_what_does_not_hold_lets_nobody_in(
    configured: Project, person: Any, serving: Any, client: Any, issuer: FakeIssuer, claims: dict[str, Any]
) -> None:
    person("Ada", email="ada@example.org")
    issuer.claims = claims

    async def go() -> None:
        async with serving(configured) as app, client(app) as http:
            back = await come_back(http, issuer)
            assert back.status_code == 401
            assert COOKIE not in back.cookies

    asyncio.run(go())


def test_another_key_state_code_or_browser_lets_nobody_in(
    configured: Project, person: Any, serving: Any, client: Any, issuer: FakeIssuer
) -> None:
    person("Ada", email="ada@example.org")

    async def go() -> None:
        async with serving(configured) as app, client(app) as http, client(app) as other:
            assert (await come_back(http, issuer, state="guessed")).status_code == 401
            assert (await come_back(http, issuer, code="guessed")).status_code == 401
            query = {"state": issuer.asked["state"], "code": "a-code"}
            assert (await other.get("/sso/back", params=query)).status_code == 401
            issuer.signed_with = RSAKey.generate_key(2048, {"kid": "k1"})
            assert (await come_back(http, issuer)).status_code == 401

    asyncio.run(go())


def test_without_configuration_there_is_none(project: Project, serving: Any, client: Any) -> None:
    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            assert (await http.get("/sso")).status_code == 404
            assert "/sso" not in (await http.get("/login")).text

    asyncio.run(go())


@pytest.mark.parametrize("change", [{"client_id": ""}, {"issuer": "http://id.example.org"}])
def test_half_a_configuration_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    monkeypatch.setenv("SOLON_SSO_SECRET", "s")
    values = {"issuer": "https://id.example.org", "client_id": "solon", **change}
    with pytest.raises(ConfigError):
        sso_of(project.store, parse_config({"sso": values}).sso)
