"""HTTP to one chat server over aiohttp: one session an event loop, tries, time limits, hedged requests.

Imports aiohttp, so nothing that `import solon` reaches may import this module at its top.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import orjson
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
)
from tenacity.wait import wait_random_exponential

from solon.agents.models.events import is_stream, read_stream
from solon.agents.models.failures import (
    Complaint,
    Server,
    refused,
    retry_after_seconds,
    unavailable,
    without_list,
)
from solon.agents.models.gate import Gate, GateClosed, Place
from solon.agents.models.tries import OF_CALL, ask_leave
from solon.agents.models.wire import dump
from solon.errors import LimitReached, ModelUnavailable

T = TypeVar("T")

ANSWER_BYTES = 8 * 2**20
"""Bytes of a whole answer, unpacked. The longest that models write are well under a tenth of it."""
COMPLAINT_BYTES = 64 * 2**10
"""Bytes of an error's body, unpacked, that are read; what follows is left unread."""
LONGEST_WAIT = 120.0
"""Seconds that a call waits at most between two tries. A server that wants a longer pause is taken for unavailable,
unless it has answered and the run is patient."""
HEDGED = 3
"""Requests of one try at most, the first included, where it is hedged."""
_BEGIN = 1000
"""Bytes of an answer that is no JSON by which it is told what it is."""
_SHORTER = (
    "lower max_tokens of this model, or see what its server writes at such length; then run `solon resume`"
)
_CHECK_ADDRESS = "check base_url (for most servers of models it ends in /v1), then run `solon resume`"
_OVERLOAD = {429, 503, 529}
_BACKOFF = wait_random_exponential(multiplier=0.5, min=0.1, max=20.0)
_PROXIES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer: `body` decoded, `request_id` from the headers ("" if none), `tries` made."""

    body: dict[str, Any]
    request_id: str
    tries: int


class _Passing(Exception):
    """A failure that may pass: worth another try."""

    def after(self, server: Server, tries: int) -> ModelUnavailable:
        """The error that it is after so many tries."""
        return unavailable(
            str(self),
            server,
            tries,
            unreachable=self.unreachable,
            next_step=self.next_step,
            of_item=self.of_item,
        )

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        unreachable: bool = False,
        overload: bool = False,
        next_step: str = "",
        of_item: bool = False,
    ) -> None:
        super().__init__(reason)
        self.next_step = next_step
        self.of_item = of_item
        self.overload = overload
        self.retry_after = retry_after
        self.unreachable = unreachable


@dataclass(slots=True)
class _Link:
    """What belongs to one event loop."""

    session: aiohttp.ClientSession
    gate: Gate


class Transport:
    """Posts to one server. Usable from several event loops; each has a session of its own, and a gate for calls that
    come with no place at another one."""

    def __init__(
        self,
        server: Server,
        *,
        timeout: float,
        retries: int,
        concurrency: int,
        headers: dict[str, str],
        hedge: bool = False,
    ):
        self.server = server
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 15.0))
        self._seconds = timeout
        self._retries = retries
        self._hedge = hedge
        self._concurrency = concurrency
        self._headers = {"Content-Type": "application/json", **headers}
        if server.key:
            self._headers.setdefault("Authorization", f"Bearer {server.key}")
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Link] = weakref.WeakKeyDictionary()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"Transport({self.server!r})"

    @property
    def gate(self) -> Gate:
        """The gate for calls of the running event loop that come with no place at another one."""
        return self._link().gate

    def hang_up(self) -> None:
        """Break every connection now, from whatever thread; calls in flight fail."""
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    async def aclose(self) -> None:
        """Close the session of the running event loop."""
        link = self._links.pop(asyncio.get_running_loop(), None)
        if link is not None:
            await link.session.close()

    async def post(self, path: str, payload: dict[str, Any]) -> Answer:
        """Post JSON, get JSON.

        Raises:
            ModelUnavailable: connection, time limit, 429, 5xx or a broken answer, after all tries.
            ModelRefused, TooLong: any other 4xx, at once.
        """
        data = dump(payload)

        async def once(place: Place) -> tuple[dict[str, Any], str]:
            async with self._opened("POST", path, data, place) as response:
                raw = await _read(response)
                body = read_stream(raw) if is_stream(raw) else _decode(raw)
                complaint = Complaint.within(body, self.server)
                if complaint is not None:
                    raise await self._error(complaint, response)
                return body, response.headers.get("x-request-id", "")

        (body, request_id), tries = await self._tried(partial(self._hedged, once) if self._hedge else once)
        return Answer(body, request_id, tries)

    async def send(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        *,
        kind: str = "application/json",
        most: int = ANSWER_BYTES,
        retries: int | None = None,
    ) -> bytes:
        """Send a request of no call, such as one that waits for others, and return the body of its answer.

        Args:
            kind: the media type of `data`.
            most: bytes of the answer at most.
            retries: further tries after a failure that may pass; None: as many as those of a call.

        Raises:
            ModelUnavailable, ModelRefused: as of `post`.
        """

        # A large file may take longer than a call: only silence is limited.
        limit = aiohttp.ClientTimeout(sock_connect=self._timeout.sock_connect, sock_read=self._seconds)
        how = {"headers": {"Content-Type": kind}, "timeout": limit}

        async def once(place: Place) -> bytes:
            async with self._opened(method, path, data or None, place, **how) as response:
                return await _read(response, most)

        return (await self._tried(once, self._retries if retries is None else retries))[0]

    async def stream(self, path: str, payload: dict[str, Any]) -> AsyncIterator[tuple[dict[str, Any], str]]:
        """Post JSON, yield each server-sent event with the request id. Tries again only before the first event."""
        data = dump(payload)
        held = AsyncExitStack()

        async def once(place: Place) -> aiohttp.ClientResponse:
            return await held.enter_async_context(self._opened("POST", path, data, place))

        async with held:
            response, tries = await self._tried(once)
            request_id = response.headers.get("x-request-id", "")
            try:
                async for line in _lines(response):
                    if not line.startswith(b"data:"):
                        continue
                    event = line[5:].strip()
                    if event == b"[DONE]":
                        return
                    yield _decode(event), request_id
            except _TooLarge as error:
                raise unavailable(
                    f"the stream was not read to its end: {error}",
                    self.server,
                    tries,
                    next_step=_SHORTER,
                    of_item=True,
                ) from None
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise unavailable(
                    f"the stream broke off ({type(error).__name__})", self.server, tries
                ) from None

    async def _tried(
        self, once: Callable[[Place], Awaitable[T]], retries: int | None = None
    ) -> tuple[T, int]:
        """The first try costs nothing extra; tenacity takes over, first failure included, when it fails. Between two
        tries the call holds no place, so that a server which asks it to wait holds up nobody else."""
        of_call = OF_CALL.get()
        place = (of_call and of_call.place) or self.gate.place()
        await place.take()
        try:
            return await once(place), 1
        except _Passing as failure:
            first: _Passing | None = failure
            last = failure
        tries, most = 0, 1 + (self._retries if retries is None else retries)

        async def again() -> T:
            nonlocal first, last, tries
            tries += 1
            failed, first = first, None
            if failed is not None:
                raise failed
            await place.take()
            await ask_leave()
            try:
                return await once(place)
            except _Passing as failure:
                last = failure
                raise

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Passing),
            stop=lambda state: (
                stop_after_attempt(most)(state)
                or (_asked_wait(state) > LONGEST_WAIT and not place.gate.patient)
                or bool(place.gate.outage)
            ),
            wait=lambda state: min(_asked_wait(state) or _BACKOFF(state), LONGEST_WAIT),
            reraise=True,
        )
        try:
            return await retrying(again), tries
        except _Passing as failure:
            raise failure.after(self.server, tries) from None
        except GateClosed:
            raise last.after(self.server, tries - 1) from None
        finally:
            place.leave()

    async def _hedged(self, once: Callable[[Place], Awaitable[T]], place: Place) -> T:
        """One try, beside which further ones are sent once that pays; the first answer counts, and the others are
        broken off."""
        after = place.hedge_after
        pending = all_tries = {asyncio.ensure_future(once(place))}
        try:
            while True:
                more = after if len(all_tries) < HEDGED else None
                done, pending = await asyncio.wait(pending, timeout=more, return_when=asyncio.FIRST_COMPLETED)
                won = next((task for task in done if task.exception() is None), None)
                if won is not None or not pending:
                    return await (won or done.pop())
                if not done:
                    place = place.second()
                    pending = pending | {asyncio.ensure_future(self._second(once, place))}
                    all_tries = all_tries | pending
        finally:
            for task in all_tries:
                task.cancel()
            await asyncio.gather(*all_tries, return_exceptions=True)

    async def _second(self, once: Callable[[Place], Awaitable[T]], place: Place) -> T:
        try:
            await place.take()
            await ask_leave()
            return await once(place)
        except (LimitReached, GateClosed):
            raise _Passing("no second request was sent") from None
        finally:
            place.leave()

    @asynccontextmanager
    async def _opened(
        self, method: str, path: str, data: bytes | None, place: Place, **how: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One try: a request, an answer of 2xx; then the place is free. Every failure of aiohttp is named here,
        once."""
        try:
            async with self._link().session.request(
                method, self.server.base_url + path, data=data, allow_redirects=False, **how
            ) as response:
                place.gate.pace.learn(asyncio.get_running_loop().time(), response.headers)
                if not 200 <= response.status < 300:
                    body = await _read(response, COMPLAINT_BYTES, cut=True)
                    raise await self._error(Complaint.read(response.status, body, self.server), response)
                yield response
            place.answered()
        except _Passing as failure:
            if failure.overload:
                place.refused()
            else:
                place.failed()
            raise
        except TimeoutError:
            place.failed()
            raise _Passing(f"nothing came within {self._seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            place.failed(unreachable=True)
            raise _Passing(_plainly(error), unreachable=True) from None
        except aiohttp.ClientError as error:
            place.failed()
            raise _Passing(f"the connection broke ({_plainly(error)})") from None
        except _TooLarge as error:
            raise _Passing(f"the answer was not read: {error}", next_step=_SHORTER, of_item=True) from None
        except _NoAnswer as error:
            raise _Passing(f"the answer is not JSON ({error})", next_step=_CHECK_ADDRESS) from None
        except ValueError as error:
            raise _Passing(f"the answer is not JSON ({error})") from None
        finally:
            place.leave()

    async def _error(self, complaint: Complaint, response: aiohttp.ClientResponse) -> Exception:
        """The error for an answer that is none."""
        status = complaint.status
        if complaint.may_pass:
            return _Passing(
                f"HTTP {status}{': ' + complaint.message if complaint.message else ''}",
                retry_after=retry_after_seconds(response.headers),
                overload=status in _OVERLOAD,
            )
        served = await self._served() if status == 404 or complaint.no_model else None
        return refused(complaint, self.server, served)

    async def _served(self) -> list[str] | None:
        """The names of the models that the server offers, if it tells."""
        link = self._link()
        try:
            async with link.session.get(
                f"{self.server.base_url}/models",
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=5),
            ) as response:
                names = [str(entry["id"]) for entry in _decode(await _read(response))["data"]]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            return None
        return names or None

    def _link(self) -> _Link:
        loop = asyncio.get_running_loop()
        link = self._links.get(loop)
        if link is None or link.session.closed:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, ttl_dns_cache=300, keepalive_timeout=20, socket_factory=self._new_socket
                ),
                timeout=self._timeout,
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=_wants_proxy(self.server.base_url),
            )
            link = self._links[loop] = _Link(session, Gate(self._concurrency))
        return link

    def _new_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        new = socket.socket(family, kind, protocol)
        new.setblocking(False)
        self._sockets.add(new)
        return new


def _asked_wait(state: RetryCallState) -> float:
    """Seconds that the server asked for in its last refusal; 0 if it asked for none."""
    failure = state.outcome.exception() if state.outcome is not None else None
    return (failure.retry_after or 0.0) if isinstance(failure, _Passing) else 0.0


class _NoAnswer(ValueError):
    """A body that no server of models sends: empty, or a page for a browser."""


class _TooLarge(ValueError):
    """An answer of more than `ANSWER_BYTES`."""

    def __init__(self) -> None:
        super().__init__(f"it is larger than {ANSWER_BYTES // 2**20} MiB, which no answer of a model is")


async def _read(response: aiohttp.ClientResponse, most: int = ANSWER_BYTES, *, cut: bool = False) -> bytes:
    """The body, unpacked piece by piece, so that never much more than `most` bytes are in memory.

    Args:
        cut: what is longer is cut there; else it is an error.

    Raises:
        _TooLarge: the body is longer.
    """
    length = response.content_length
    if length is not None and length <= most and "Content-Encoding" not in response.headers:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most:
            response.close()
            if not cut:
                raise _TooLarge
            break
    return bytes(body[:most])


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a stream, whose answer has the same limit."""
    size = 0
    async for line in response.content:
        size += len(line)
        if size > ANSWER_BYTES:
            raise _TooLarge
        yield line


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        body = without_list(_loads(raw))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        begin = raw[:_BEGIN].strip()
        if not begin or begin.startswith(b"<"):
            raise _NoAnswer("it is a web page" if begin else "it is empty") from None
        raise
    if not isinstance(body, dict):
        # A broken answer, not a programming error: handled like JSON that cannot be read.
        raise ValueError(f"a JSON object was expected, {type(body).__name__} came")
    return body


def _loads(raw: bytes) -> Any:
    """What JSON says. Some servers write more than the standard has, such as NaN, which Python's own module reads."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw)


def _plainly(error: Exception) -> str:
    """The cause in words; aiohttp's own text can hold addresses, never headers or bodies."""
    cause = getattr(error, "os_error", None) or error
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(cause) or type(error).__name__


def _wants_proxy(base_url: str) -> bool:
    """Proxies of the environment count, except for this machine; looking for them costs time on each call."""
    host = urlsplit(base_url).hostname or ""
    return host not in ("localhost", "127.0.0.1", "::1") and any(os.environ.get(name) for name in _PROXIES)
