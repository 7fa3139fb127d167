"""Calls through a provider's batch API: `/files` and `/batches` of OpenAI and of servers that speak like it.

Calls are gathered until none has come for a while, go up as one JSONL file, and are answered when the provider is done
with all of them. A request has an id that the journal gives its call, and a batch the id of its run: whoever goes on
with the run finds at the provider what an earlier session sent, and sends nothing a second time.

OpenAI, "Batch API" (guide and reference), 2026.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Coroutine, Mapping
from contextvars import Context
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import MultipartWriter

from solon.agents.models.failures import Complaint, Refusal, refused, unavailable
from solon.agents.models.transport import Answer, Transport
from solon.agents.models.tries import OF_CALL, LeftBehind, Tries, ask_leave
from solon.agents.models.wire import dump, spell
from solon.errors import ModelRefused, ModelUnavailable, SolonError
from solon.store.database.ids import hash_id, new_id

MOST_REQUESTS = 50_000
"""Requests of one batch at most, as OpenAI takes them."""
MOST_BYTES = 100 * 2**20
"""Bytes of one file at most: half of what OpenAI takes, so that it goes up in time."""
RESULT_BYTES = 2**30
"""Bytes of a file of results that are read."""
POLL = 20.0
"""Seconds between two looks at a batch."""
LOOK = 0.5
"""Seconds within which it is seen that the run is being stopped."""
UNANSWERED = 60
"""Looks in a row that fail, each after all of its tries, before the calls of a batch fail."""
PAGES = 50
"""Pages of a provider's list of batches that are read, of 100 each."""
RUN = "solon_run"
"""Key of a batch's metadata under which the id of its run stands."""
_ENDED = ("completed", "failed", "expired", "cancelled")
_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batching:
    """How calls are gathered.

    Attributes:
        pause: seconds without a further call after which they go up.
        cancels: a batch is cancelled when the run is stopped; else it is left.
    """

    pause: float
    cancels: bool = False


class _Again(Exception):
    """A request that brought no answer, and may bring one in another batch."""


@dataclass(slots=True, eq=False)
class _Request:
    """One request that waits for its answer.

    Attributes:
        id: its `custom_id`.
        line: its line in the file.
        tries: those of its call.
        answer: set when there is one.
        sent: how often this session has sent it.
        read: the batches that were read without an answer to it.
        alone: a batch with it found no room at the provider while no other ran there.
    """

    id: str
    line: bytes
    tries: Tries
    answer: asyncio.Future[Answer]
    sent: int = 0
    read: set[str] = field(default_factory=set)
    alone: bool = False


@dataclass(slots=True)
class _Group:
    """Requests to one endpoint for one run that have not gone up yet, by their ids."""

    requests: dict[str, _Request] = field(default_factory=dict)
    size: int = 0
    timer: asyncio.TimerHandle | None = None


class Batches:
    """Posts to one server through its batch API; has the `post` of a `Transport`. For one event loop at a time."""

    def __init__(self, transport: Transport, batching: Batching, retries: int) -> None:
        self._transport, self._batching, self._retries = transport, batching, retries
        self._groups: dict[tuple[str, str], _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent: dict[str, set[str] | None] = {}
        self._told: dict[str, str] = {}

    async def aclose(self) -> None:
        """Stop waiting; what is at the provider stays there."""
        for group in self._groups.values():
            if group.timer is not None:
                group.timer.cancel()
        self._groups.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def post(self, path: str, payload: dict[str, Any]) -> Answer:
        """The answer to a request, which goes up with others, and again where it failed or expired.

        Raises:
            ModelUnavailable: it brought no answer in any of its tries, or the server cannot be reached.
            ModelRefused, TooLong: it was refused, or the server has no batch API.
            LeftBehind: the run is being stopped.
        """
        tries = OF_CALL.get() or Tries()
        if tries.place is not None:
            tries.place.leave()  # a gate is for servers that answer within seconds
        body = dump(payload)
        name = hash_id(tries.call_id or new_id(), spell(payload))
        url = json.dumps(f"/v1{path}").encode()
        line = b'{"custom_id":"%s","method":"POST","url":%s,"body":%s}\n' % (name.encode(), url, body)
        request = _Request(name, line, tries, asyncio.get_running_loop().create_future())
        while True:
            self._gather(tries.run, path, request)
            try:
                return await request.answer
            except (LeftBehind, asyncio.CancelledError):
                tries.left = True
                raise
            except _Again as failure:
                if request.sent > self._retries:
                    raise unavailable(str(failure), self._transport.server, request.sent) from None
            await ask_leave()
            request = replace(request, answer=asyncio.get_running_loop().create_future())

    def _gather(self, run: str, path: str, request: _Request) -> None:
        """Put a request to those that go up next, which do when they are many or when none comes any more."""
        place = (run, path)
        group = self._groups.setdefault(place, _Group())
        if len(group.requests) >= MOST_REQUESTS or group.size + len(request.line) > MOST_BYTES:
            self._close(place)
            group = self._groups.setdefault(place, _Group())
        if request.id in group.requests:
            request.answer = group.requests[request.id].answer
            return
        group.requests[request.id] = request
        group.size += len(request.line)
        if group.timer is not None:
            group.timer.cancel()
        loop = asyncio.get_running_loop()
        group.timer = loop.call_later(self._batching.pause, self._close, place)

    def _close(self, place: tuple[str, str]) -> None:
        group = self._groups.pop(place, None)
        if group is not None and group.requests:
            if group.timer is not None:
                group.timer.cancel()
            self._spawn(self._hand_up(*place, group.requests), group.requests)

    def _spawn(self, work: Coroutine[Any, Any, None], requests: Mapping[str, _Request]) -> None:
        """Do work for these requests, in the context of none of them. What ends it ends those that it still has, so
        that none waits for ever."""

        async def watched() -> None:
            try:
                await work
            except Exception as error:
                _fail(requests, error)
            finally:
                for request in requests.values():
                    request.answer.cancel()

        task = asyncio.get_running_loop().create_task(watched(), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_up(self, run: str, path: str, requests: dict[str, _Request]) -> None:
        """Take up what is at the provider already, and send the rest as one batch."""
        if _leaving(requests):
            _fail(requests, LeftBehind("the run is stopped"))
            return
        if run:
            await self._take_up(run, path, requests)
        if not requests:
            return
        file = await self._upload(b"".join(request.line for request in requests.values()))
        batch = await self._create(run, path, file)
        self._sent[batch] = set(requests)
        for request in requests.values():
            request.sent += 1
        await self._follow(run, path, batch, requests)

    async def _take_up(self, run: str, path: str, requests: dict[str, _Request]) -> None:
        """Take away the requests that are in a batch of the run already, and wait for the newest that holds them.

        A batch whose input cannot be read any more may hold each of them; one that failed as a whole answers none.
        """
        for entry in await self._list(run):
            if not requests:
                return
            if entry.get("status") == "failed":
                continue
            batch = _name(entry, "id")
            if batch not in self._sent:
                self._sent[batch] = await self._ids_in(_name(entry, "input_file_id"))
            held = self._sent[batch]
            found = {
                name: request
                for name, request in requests.items()
                if (held is None or name in held) and batch not in request.read
            }
            if found:
                for name in found:
                    del requests[name]
                self._spawn(self._follow(run, path, batch, found), found)

    async def _running(self) -> set[str]:
        """The batches, of whatever run, that are under way at the provider: each takes of its room."""
        newest = await self._list(None, pages=1)
        return {str(entry.get("id")) for entry in newest if entry.get("status") not in _ENDED}

    async def _list(self, run: str | None, pages: int = PAGES) -> list[dict[str, Any]]:
        """The batches of a run, or of all for None, the newest first."""
        found: list[dict[str, Any]] = []
        after = ""
        for _ in range(pages):
            page = await self._ask("GET", f"/batches?limit=100{after}")
            entries = [entry for entry in page.get("data") or () if isinstance(entry, dict)]
            found += [entry for entry in entries if run is None or _run_of(entry) == run]
            if not entries or not page.get("has_more"):
                break
            after = f"&after={_name(entries[-1], 'id')}"
        return sorted(found, key=lambda entry: -_number(entry.get("created_at")))

    async def _ids_in(self, file: str) -> set[str] | None:
        """The ids of the requests in a file that went up; None where it cannot be read any more."""
        try:
            lines, _ = await self._lines(file)
        except Refusal:
            return None
        return {str(line.get("custom_id")) for line in lines}

    async def _upload(self, data: bytes) -> str:
        """The id of a file that went up."""
        form = MultipartWriter("form-data")
        form.append("batch").set_content_disposition("form-data", name="purpose")
        file = form.append(data, {"Content-Type": "application/jsonl"})
        file.set_content_disposition("form-data", name="file", filename="solon.jsonl")
        body = await form.as_bytes()
        return _name(await self._ask("POST", "/files", body, kind=form.content_type), "id")

    async def _create(self, run: str, path: str, file: str) -> str:
        """The id of a new batch. Where no answer came it is looked for before it is made again: it may be there."""
        wanted = {"input_file_id": file, "endpoint": f"/v1{path}", "completion_window": "24h"}
        body = dump({**wanted, "metadata": {RUN: run}} if run else wanted)
        turn = 0
        while True:
            try:
                return _name(await self._ask("POST", "/batches", body, retries=0), "id")
            except ModelUnavailable:
                turn += 1
                if turn > self._retries:
                    raise
            for entry in await self._list(run) if run else ():
                if entry.get("input_file_id") == file:
                    return _name(entry, "id")

    async def _follow(self, run: str, path: str, batch: str, requests: dict[str, _Request]) -> None:
        """Wait for the end of a batch, and hand each request what came for it. Where the provider had no room for it,
        its requests go up again when it has."""
        failures = 0
        try:
            while True:
                try:
                    body = await self._ask("GET", f"/batches/{batch}")
                except ModelUnavailable:
                    failures += 1
                    if failures >= UNANSWERED:
                        raise
                else:
                    failures = 0
                    self._tell(batch, _spell(batch, self._transport.server.base_url, body), requests)
                    if body.get("status") in _ENDED:
                        break
                if await self._is_left(requests):
                    await self._leave(batch, requests)
                    return
        finally:
            self._tell(batch, "", requests)
        error = _why_failed(batch, body, self._transport) if body.get("status") == "failed" else None
        if error is None:
            await self._deliver(batch, body, requests)
        elif isinstance(error, ModelUnavailable) and await self._await_room(batch, error.cause, requests):
            again = dict(requests)
            requests.clear()
            self._spawn(self._hand_up(run, path, again), again)
        else:
            _fail(requests, error)

    async def _await_room(self, batch: str, why: str, requests: Mapping[str, _Request]) -> bool:
        """Wait until one of the batches that run at the provider has ended, or the run is being stopped; False where
        none has run at two times, since then there is no room however long one waits."""
        before = await self._running()
        if not before and all(request.alone for request in requests.values()):
            return False
        for request in requests.values():
            request.alone = not before
            request.sent -= request.sent > 0  # nothing of it was looked at: it is no try
        self._tell(batch, f"{why} (goes up again when another batch has ended)", requests)
        try:
            while before and before <= await self._running() and not await self._is_left(requests):
                pass
        finally:
            self._tell(batch, "", requests)
        return True

    async def _is_left(self, requests: Mapping[str, _Request]) -> bool:
        """Wait for the next look at a batch; True, at once, where the run is being stopped."""
        left = POLL
        while left > 0 and not _leaving(requests):
            await asyncio.sleep(min(LOOK, left))
            left -= LOOK
        return _leaving(requests)

    async def _leave(self, batch: str, requests: Mapping[str, _Request]) -> None:
        """Leave a batch at the provider, or cancel it, and say so."""
        many = f"{len(requests)} request{'' if len(requests) == 1 else 's'}"
        told = f"batch {batch} with {many} is still at the provider; `solon resume` takes its answers"
        if self._batching.cancels:
            told = f"batch {batch} with {many} is being cancelled; `solon resume` takes what was answered"
            try:
                await self._ask("POST", f"/batches/{batch}/cancel")
            except SolonError as error:
                told = f"batch {batch} with {many} could not be cancelled ({error.cause}), and is still at the provider"
        waiter = next(request.tries.waiter for request in requests.values())
        if waiter is not None:
            waiter.leave_behind(told)
        _fail(requests, LeftBehind(told))

    def _tell(self, batch: str, words: str, requests: Mapping[str, _Request]) -> None:
        """Say which batches are waited for."""
        self._told[batch] = words
        if not words:
            del self._told[batch]
        waiter = next((r.tries.waiter for r in requests.values() if not r.answer.done()), None)
        if waiter is not None:
            waiter.await_batches("; ".join(self._told.values()))

    async def _deliver(self, batch: str, body: Mapping[str, Any], requests: dict[str, _Request]) -> None:
        lines: list[dict[str, Any]] = []
        broken = foreign = 0
        for key in ("output_file_id", "error_file_id"):
            if body.get(key):
                more, unread = await self._lines(_name(body, key))
                lines, broken = lines + more, broken + unread
        held = self._sent.get(batch) or {str(line.get("custom_id")) for line in lines}
        for line in lines:
            request = requests.get(str(line.get("custom_id")))
            if request is None:
                foreign += str(line.get("custom_id")) not in held
            elif not request.answer.done():
                self._settle(request, batch, line)
        missing = {name: request for name, request in requests.items() if not request.answer.done()}
        for request in missing.values():
            request.read.add(batch)
        _fail(
            missing,
            _Again(f"batch {batch} ({str(body.get('status'))[:20]}) brought no answer to the request"),
        )
        if broken or foreign:
            _log.warning(
                "batch %s: %d lines of its results cannot be read, %d are answers to requests that it did not have; "
                "%d requests are without an answer and are sent again",
                *(batch, broken, foreign, len(missing)),
            )

    def _settle(self, request: _Request, batch: str, line: Mapping[str, Any]) -> None:
        """Hand a request what one line of the results says: an answer, a refusal, or that it may be sent again."""
        server, response = self._transport.server, line.get("response")
        if isinstance(response, Mapping) and isinstance(answer := response.get("body"), dict):
            status = int(_number(response.get("status_code")))
            fine = 200 <= status < 300
            complaint = (
                Complaint.within(answer, server) if fine else Complaint.read(status, dump(answer), server)
            )
            if complaint is not None:
                request.tries.add_vain(answer)
            else:
                tries = len(request.read) + 1
                request.answer.set_result(Answer(answer, str(response.get("request_id") or ""), tries))
                return
        else:
            complaint = Complaint.within({"error": line.get("error") or "it was not answered"}, server)
        # What an earlier session was refused for its key or its quota may be granted by now.
        if complaint and not complaint.may_pass and (request.sent or complaint.of_one_request):
            request.answer.set_exception(refused(complaint, server))
            return
        request.read.add(batch)
        why = f"HTTP {complaint.status}: {complaint.message}" if complaint else "it was not answered"
        request.answer.set_exception(_Again(f"in batch {batch}: {why}"))

    async def _lines(self, file: str) -> tuple[list[dict[str, Any]], int]:
        """The objects of a JSONL file at the provider, and how many of its lines are none."""
        raw = await self._send("GET", f"/files/{file}/content", most=RESULT_BYTES)
        lines = [line for line in raw.split(b"\n") if line.strip()]
        found = [entry for line in lines if isinstance(entry := _read_line(line), dict)]
        return found, len(lines) - len(found)

    async def _ask(self, method: str, path: str, data: bytes = b"", **how: Any) -> dict[str, Any]:
        raw = await self._send(method, path, data, **how)
        if isinstance(body := _read_line(raw), dict):
            return body
        raise unavailable(
            f"the answer to {method} {path.split('?')[0]} is no JSON object", self._transport.server, 1
        )

    async def _send(self, method: str, path: str, data: bytes = b"", **how: Any) -> bytes:
        try:
            return await self._transport.send(method, path, data, **how)
        except Refusal as refusal:
            plain = path.split("?")[0]
            if refusal.complaint.status not in (404, 405, 501) or plain not in ("/files", "/batches"):
                raise
            error = ModelRefused(
                f"{self._transport.server.base_url} has no batch API: {method} {plain} is HTTP "
                f"{refusal.complaint.status}",
                next_step="take `batch = true` out of this model, or name a server that has one",
            )
            error.systemic = True
            raise error from None


def _leaving(requests: Mapping[str, _Request]) -> bool:
    """Whether the run that these are of is being stopped."""
    waiters = (request.tries.waiter for request in requests.values())
    return any(waiter.leaving for waiter in waiters if waiter is not None)


def _fail(requests: Mapping[str, _Request], error: Exception) -> None:
    for request in requests.values():
        if not request.answer.done():
            request.answer.set_exception(error)


def _read_line(line: bytes) -> Any:
    """What a line of JSON says; None where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _run_of(entry: Mapping[str, Any]) -> Any:
    """The id of the run that a batch says it is of; None where it says none."""
    metadata = entry.get("metadata")
    return metadata.get(RUN) if isinstance(metadata, dict) else None


def _name(body: Mapping[str, Any], key: str) -> str:
    """An id that a provider gave, which goes into an address.

    Raises:
        ModelUnavailable: it is none.
    """
    name = body.get(key)
    if isinstance(name, str) and _ID.fullmatch(name) and name.strip("."):
        return name
    raise ModelUnavailable(
        f"the provider's batch API gave no {key}: {str(name)[:80]!r}", next_step="run `solon resume` later"
    )


def _number(value: Any) -> float:
    """A count, a status or a time; 0 where it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2**53:
        return 0.0
    return float(value)


def _spell(batch: str, where: str, body: Mapping[str, Any]) -> str:
    """How far a batch is, in words."""
    told = body.get("request_counts")
    counts = told if isinstance(told, Mapping) else {}
    done = int(_number(counts.get("completed")) + _number(counts.get("failed")))
    status = str(body.get("status"))[:20].replace("_", " ")
    return f"batch {batch} at {where}: {done} of {int(_number(counts.get('total')))} done ({status})"


def _why_failed(batch: str, body: Mapping[str, Any], transport: Transport) -> SolonError | None:
    """The error of a batch that was not taken as a whole; None where the provider names none."""
    errors = body.get("errors")
    listed = errors.get("data") if isinstance(errors, Mapping) else errors
    first = listed[0] if isinstance(listed, list) and listed else None
    complaint = Complaint.within({"error": first}, transport.server) if first else None
    if complaint is None:
        return None
    where = f"{transport.server.base_url} did not take batch {batch}: {complaint.message}"
    if "limit" in complaint.code:
        return ModelUnavailable(
            where, next_step="run `solon resume` later, or lower `concurrency` of this model: smaller batches"
        )
    error = ModelRefused(where, next_step="check the model's settings in the configuration")
    error.systemic = True
    return error
