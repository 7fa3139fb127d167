"""Webhooks: events by their ids, signed, over https to public addresses, tried again where nobody answered.

A receiver checks `Solon-Signature`: `v1=` and the HMAC-SHA256 of `TIMESTAMP.BODY` with the shared secret, in hex;
TIMESTAMP stands in `Solon-Timestamp`, so that an old message cannot be sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from solon.errors import ConfigError, SolonError
from solon.observers import Observer
from solon.store.database import clock
from solon.store.reviewing.hooks import (
    HookRow,
    claim_hook,
    due_hooks,
    hook_done,
    note_first_look,
    untold_events,
)

if TYPE_CHECKING:
    from solon.config.review import ReviewConfig
    from solon.store.database.store import Store
    from solon.store.database.writer import Rows

QUICK_TRIES = 3
TIMEOUT = 10.0
REST = 20.0
"""After each look for events the store rests for so many times as long: a look is long where the history is."""


class NotReached(SolonError):
    """A webhook did not take an event; it may be tried again."""


class NotPublic(SolonError):
    """The address is of this machine or of a private network, and that was not allowed."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where events go, and how they are signed.

    Attributes:
        urls: addresses that are told.
        events: names of the events that are told.
        secret: shared with the receivers, signs every message; it is never printed.
        private: addresses of private networks and of this machine are allowed, and http.
    """

    urls: tuple[str, ...]
    events: tuple[str, ...]
    secret: bytes
    private: bool = False

    def __repr__(self) -> str:
        return f"Hooks(urls={self.urls!r}, events={self.events!r})"


def hooks_of(config: ReviewConfig) -> Hooks | None:
    """Return the webhooks that the configuration asks for; None where it names no address.

    Raises:
        ConfigError: an address is not allowed, or the secret is missing or too short.
    """
    if not config.webhooks:
        return None
    secret = os.environ.get(config.webhook_secret_env, "")
    if len(secret) < 16:
        raise ConfigError(
            f"[review] webhooks need a secret of 16 characters or more in {config.webhook_secret_env}",
            next_step=f"e.g. export {config.webhook_secret_env}=$(openssl rand -hex 32)",
        )
    for url in config.webhooks:
        parts = urlsplit(url)
        schemes = ("http", "https") if config.webhook_private else ("https",)
        if parts.scheme not in schemes or not parts.hostname or parts.username:
            raise ConfigError(
                f"[review] webhooks: {url!r} is no {' or '.join(schemes)} address",
                next_step="give the whole address; webhook_private = true allows http",
            )
    return Hooks(config.webhooks, config.webhook_events, secret.encode(), config.webhook_private)


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of the header `Solon-Signature` for a message; `timestamp` is that of `Solon-Timestamp`."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_public(address: str) -> bool:
    """Tell whether this is an IP address that is public: neither of this machine nor of a private network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    parsed = mapped or parsed
    return parsed.is_global and not parsed.is_multicast


class PublicOnly(AbstractResolver):
    """Resolves host names, and refuses addresses that are not public.

    A name is looked up once and the connection goes to what was checked: no answer can change in between.
    """

    def __init__(self) -> None:
        self._inner = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host, as aiohttp asks for them.

        Raises:
            NotPublic: one of them is not public.
        """
        addresses = await self._inner.resolve(host, port, family)
        if any(not is_public(one["host"]) for one in addresses):
            raise NotPublic(f"{host} is an address of a private network")
        return addresses

    async def close(self) -> None:
        """Close the resolver behind this one; aiohttp calls it at the end."""
        await self._inner.close()


class Herald:
    """Looks for new events in the store and sends them to the webhooks, until it is stopped."""

    def __init__(self, store: Store, hooks: Hooks, poll_seconds: float = 2.0) -> None:
        self._store, self._hooks, self._poll = store, hooks, poll_seconds
        self._stopping = asyncio.Event()
        self._looked = 0.0  # seconds that the last look took
        self._watcher = Observer("a webhook")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for events, as a task of the running event loop."""
        self._task = asyncio.create_task(self._work(), name="solon-webhooks")

    async def stop(self) -> None:
        """Finish the round in hand, then end. What was not sent stays due for the next server."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        connector = aiohttp.TCPConnector(resolver=None if self._hooks.private else PublicOnly(), limit=8)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            while not self._stopping.is_set():
                try:
                    await self.tell_all(http)
                except SolonError:
                    pass  # the store is away for a moment; what is due stays due
                except Exception as error:  # what nobody foresaw ends no telling of what comes later
                    self._watcher.failed(error)
                try:
                    await asyncio.wait_for(self._stopping.wait(), max(self._poll, REST * self._looked))
                except TimeoutError:
                    pass

    async def tell_all(self, http: aiohttp.ClientSession) -> None:
        """Do one round: queue what has happened since the last look, and send what is due."""
        begun = time.monotonic()
        rows = await asyncio.to_thread(self._look)
        self._looked = time.monotonic() - begun
        if rows is None:
            await self._store.writer.run(note_first_look)
        else:
            await self._store.writer.add(rows)
        with self._store.connect() as connection:
            due = due_hooks(connection)
        await asyncio.gather(*(self._tell(http, hook) for hook in due))

    def _look(self) -> Rows | None:
        with self._store.connect() as connection:
            return untold_events(connection, self._hooks.urls, self._hooks.events)

    async def _tell(self, http: aiohttp.ClientSession, hook: HookRow) -> None:
        claimed = await self._store.writer.run(lambda c: claim_hook(c, hook, QUICK_TRIES * (TIMEOUT + 5)))
        if not claimed:
            return
        problem = "no longer configured"
        if hook.hook in self._hooks.urls:
            problem = await self._try(http, hook)
        await self._store.writer.run(lambda connection: hook_done(connection, hook, problem))

    async def _try(self, http: aiohttp.ClientSession, hook: HookRow) -> str:
        """Empty where it was taken; else why not."""
        again = AsyncRetrying(
            retry=retry_if_exception_type(NotReached),
            stop=stop_after_attempt(QUICK_TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        try:
            await again(self._send, http, hook)
        except SolonError as error:
            return error.cause
        except Exception as error:  # an address that cannot be spelt, a library's own
            return f"{type(error).__name__}: {error}"[:200]
        return ""

    async def _send(self, http: aiohttp.ClientSession, hook: HookRow) -> None:
        host = urlsplit(hook.hook).hostname or ""
        if not self._hooks.private and _is_address(host) and not is_public(host):
            raise NotPublic(f"{host} is an address of a private network")
        payload: dict[str, Any] = {
            "id": hook.id, "event": hook.event, "subject": hook.subject, "at": round(hook.created_at, 3)
        }  # fmt: skip
        body = json.dumps(payload, sort_keys=True).encode()
        timestamp = str(int(clock.now()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "solon",
            "Solon-Delivery": hook.id,
            "Solon-Timestamp": timestamp,
            "Solon-Signature": sign(self._hooks.secret, timestamp, body),
        }
        try:
            async with http.post(hook.hook, data=body, headers=headers, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise NotReached(f"it answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotReached(f"{type(error).__name__}: {error}"[:200]) from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
