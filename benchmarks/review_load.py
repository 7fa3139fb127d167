"""Measure the review queue on a real served process: `next` in a long queue, and many reviewers at once.

    python -m benchmarks.review_load queue                # 50,000 reviews wait: page and API, for kinds of people
    python -m benchmarks.review_load reviewers            # 64 reviewers answer 5,000 reviews; none twice, none lost
    python -m benchmarks.review_load reviewers --kill     # the same, and the server dies by SIGKILL in the middle
    python -m benchmarks.review_load delivery             # 50 people, 8 s an answer: how late items get their decisions
    python -m benchmarks.review_load delivery --worker    # the same with a `solon worker` of its own

Times are the client's, in milliseconds; the client is one more process on the same machine. A table goes to standard
error, JSON to the last line of standard output. It fails where an answer was lost or counted twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import func, select

from benchmarks.review_fill import CONFIG, fill, open_project
from solon.project import Project
from solon.store.database import audit_log
from solon.store.reviewing.deliveries import pending_deliveries
from solon.store.reviewing.experts import add_expert
from solon.store.tables import table_of
from solon.store.tables.people import Assignment, Decision, Outbox, Review

Told = dict[str, Any]
WHO: dict[str, Told] = {
    "any": {},
    "doctor": {"specialties": ["medicine"], "languages": ["en", "de"]},
    "lead": {"role": "lead"},
    "not proven": {"role": "worker"},
    "no field here": {"specialties": ["surgery"], "languages": ["fi"]},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("queue", "reviewers", "delivery"))
    parser.add_argument("--waiting", type=int, default=50_000, help="queue: reviews that wait")
    parser.add_argument("--decided", type=int, default=20_000, help="queue: reviews decided before")
    parser.add_argument(
        "--asks", type=int, default=100, help="queue: reviews asked for by each person on each way"
    )
    parser.add_argument("--items", type=int, help="reviews to answer; default: 5,000, delivery: 800")
    parser.add_argument("--reviewers", type=int, help="default: 64, delivery: 50")
    parser.add_argument(
        "--think", type=float, help="mean seconds that a paced answer takes; default: 1, delivery: 8"
    )
    parser.add_argument("--redraft", type=float, default=0.05, help="delivery: share that is drafted anew")
    parser.add_argument("--worker", action="store_true", help="delivery: by a process of its own")
    parser.add_argument(
        "--paced", type=float, default=0.3, help="reviewers: share answered at that pace; the rest flat out"
    )
    parser.add_argument("--kill", action="store_true", help="reviewers: kill -9 the server in the middle")
    given = parser.parse_args()
    usual = (800, 50, 8.0) if given.part == "delivery" else (5000, 64, 1.0)
    for name, value in zip(("items", "reviewers", "think"), usual, strict=True):
        setattr(given, name, value if getattr(given, name) is None else getattr(given, name))
    with tempfile.TemporaryDirectory(prefix="solon-load-") as folder:
        told = asyncio.run(PARTS[given.part](given, f"sqlite:///{folder}/solon.db"))
    told = {
        "part": given.part,
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        **told,
    }
    print(json.dumps(told))


async def measure_queue(given: argparse.Namespace, url: str) -> Told:
    """`next` and the answer to it, one at a time, in a queue that stays as long as it is."""
    with open_project(url) as project:
        _say(f"writing {given.waiting} waiting and {given.decided} decided reviews ...")
        fill(project, given.waiting, decided=given.decided)
        tokens = {
            name: add_expert(project.store, name, by="local:load", **facts)[1] for name, facts in WHO.items()
        }
    found: Told = {"waiting": given.waiting, "decided": given.decided}
    cpus: Told = {}
    with _serving(url, 0) as server:
        for name, token in tokens.items():
            for way, client in (("api", Api(server.address, token)), ("page", Page(server.address, token))):
                cpu = server.cpu_seconds()
                async with client:
                    took = await _one_person(client, given.asks)
                cpus[f"{way}, {name}"] = round(1000 * (server.cpu_seconds() - cpu) / given.asks, 1)
                for what, values in took.items():
                    found[f"{way} {what}, {name}"] = _quantiles(values)
    found["server CPU, ms for one next and its answer"] = cpus
    _table(found)
    return found


async def _one_person(client: Api, asks: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"next": [], "decide": []}
    for _ in range(asks):
        begun = time.perf_counter()
        item = (await client.next())["item"]
        took["next"].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        await client.decide(item, 0)
        took["decide"].append(time.perf_counter() - begun)
    return took


async def measure_reviewers(given: argparse.Namespace, url: str) -> Told:
    """Many people answer until nothing waits; then the store is checked."""
    with open_project(url) as project:
        _say(f"writing {given.items} reviews ...")
        fill(project, given.items - 1, fields=False)
        tokens = [add_expert(project.store, f"R{n}", by="local:load")[1] for n in range(given.reviewers)]
    state = State(given.items, int(given.items * given.paced), given.think)
    begun = time.perf_counter()
    port = _free_port()
    server = Server(url, port)
    try:
        server.start()
        people = [
            asyncio.create_task(_answer(state, server.address, token, n)) for n, token in enumerate(tokens)
        ]
        if given.kill:
            await _kill(state, server)
        await asyncio.gather(*people)
        cpu = server.cpu_seconds()
    finally:
        server.stop()
    seconds = time.perf_counter() - begun
    found: Told = {
        "reviewers": given.reviewers,
        "seconds": round(seconds, 1),
        "killed": given.kill,
        **_check(url, state),
    }
    for name, values in state.took.items():
        if values:
            found[name] = _quantiles(values)
    flat = given.items - state.paced
    if not given.kill and state.turned:
        found["server CPU, ms for one next and its answer"] = round(1000 * cpu / given.items, 1)
        found["flat out, answers a second"] = round(flat / max(0.001, state.ended - state.turned), 1)
    _table(found)
    return found


async def measure_delivery(given: argparse.Namespace, url: str) -> Told:
    """Many people answer at their pace, some of them asking for a new draft; how long after each answer its item has
    taken it in, and what the memory of the server did meanwhile."""
    with Project(url, config=CONFIG) as project:
        _say(f"running {given.items} items ...")
        project.run("preference", [f"Explain thing number {n} of the long list." for n in range(given.items)])
        tokens = [add_expert(project.store, f"R{n}", by="local:load")[1] for n in range(given.reviewers)]
    left = iter(range(given.items - given.reviewers))
    server, worker = Server(url, _free_port(), work=not given.worker), None
    begun, memory = time.monotonic(), []
    try:
        server.start()
        if given.worker:
            command = [sys.executable, "-m", "solon", "worker", "--store", url]
            said = Path(url.removeprefix("sqlite:///")).with_name("worker.txt")
            with said.open("w") as out:
                worker = await asyncio.create_subprocess_exec(*command, stderr=out)
            while not said.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        people = [
            asyncio.create_task(_answer_paced(given, left, server.address, token, n))
            for n, token in enumerate(tokens)
        ]
        while not all(task.done() for task in people):
            memory.append(server.megabytes())
            await asyncio.sleep(1)
        seconds = time.monotonic() - begun
        answered = sum(task.result() for task in people)
        await _until_applied(url)
    finally:
        if worker is not None:
            worker.terminate()
            await worker.wait()
        server.stop()
    found: Told = {
        "reviewers": given.reviewers,
        "seconds": round(seconds, 1),
        "load": os.getloadavg()[0],
        "answers a second": round(answered / seconds, 1),
        "server, MB after a fifth, at the end": [memory[len(memory) // 5], memory[-1]],
        "behind": _quantiles(_behind(url)),
    }
    _table(found)
    return found


async def _answer_paced(
    given: argparse.Namespace, left: Iterator[int], address: str, token: str, n: int
) -> int:
    draw, answered = random.Random(n), 0
    async with Api(address, token) as client:
        await asyncio.sleep(draw.random() * given.think)
        while next(left, None) is not None and (item := (await client.next())["item"]) is not None:
            await asyncio.sleep(draw.expovariate(1 / given.think))
            again = draw.random() < given.redraft
            await client.decide(item, n, {"choice": "redraft", "guidance": "Shorter."} if again else None)
            answered += 1
    return answered


async def _until_applied(url: str) -> None:
    with Project(url, create=False) as project:
        for _ in range(600):
            with project.store.connect() as connection:
                if not pending_deliveries(connection):
                    return
            await asyncio.sleep(0.5)
    raise SystemExit("decisions were not applied within five minutes")


def _behind(url: str) -> list[float]:
    """Seconds from each answer until its item had taken it in."""
    outbox, decisions = table_of(Outbox), table_of(Decision)
    query = select(outbox.c.applied_at - decisions.c.decided_at).join(
        decisions, decisions.c.id == outbox.c.decision_id
    )
    with Project(url, create=False) as project, project.store.connect() as connection:
        return [float(value) for value in connection.execute(query).scalars()]


class State:
    """What all reviewers of one measurement share. Times of requests that had to be sent again are not kept."""

    def __init__(self, items: int, paced: int, think: float) -> None:
        self.items, self.paced, self.think = items, paced, think
        self.told: dict[str, str] = {}
        self.took: dict[str, list[float]] = {
            f"{what}, {pace}": [] for pace in ("paced", "flat out") for what in ("next", "decide")
        }
        self.again = 0
        self.turned = self.ended = 0.0


async def _answer(state: State, address: str, token: str, n: int) -> None:
    draw = random.Random(n)
    async with Api(address, token) as client:
        await asyncio.sleep(draw.random() * state.think)
        while True:
            paced = len(state.told) < state.paced
            item = (await _timed(state, "next", paced, client.next))["item"]
            if item is None:
                return
            if paced:
                await asyncio.sleep(draw.expovariate(1 / state.think))
            elif not state.turned:
                state.turned = time.perf_counter()
            done = await _timed(state, "decide", paced, lambda item=item: client.decide(item, n))  # type: ignore[misc]
            assert done["kind"] == "decided", done
            assert state.told.setdefault(item["review"], done["decision"]) == done["decision"], (
                "decided twice"
            )
            state.ended = time.perf_counter()


async def _timed(state: State, what: str, paced: bool, ask: Any) -> Any:
    """Ask until there is an answer: what cannot be sent is sent again under the same token, as the page does."""
    tries = 0
    while True:
        begun = time.perf_counter()
        try:
            found = await ask()
        except (aiohttp.ClientError, TimeoutError):
            tries += 1
            state.again += 1
            if tries > 600:
                raise
            await asyncio.sleep(0.1)
            continue
        if not tries:
            state.took[f"{what}, {'paced' if paced else 'flat out'}"].append(time.perf_counter() - begun)
        return found


async def _kill(state: State, server: Server) -> None:
    while len(state.told) < state.items / 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    server.kill()
    await asyncio.to_thread(server.start)


def _check(url: str, state: State) -> Told:
    """Every review is decided once, by the decision that its reviewer was told of; the chain of the log holds."""
    with Project(url, create=False) as project:
        with project.store.connect() as connection:
            decided = select(table_of(Decision).c.review_id, table_of(Decision).c.id)
            rows = [(row.review_id, row.id) for row in connection.execute(decided)]
            count = select(func.count()).select_from(table_of(Outbox))
            outbox = connection.execute(count).scalar_one()
            states = select(table_of(Review).c.state).distinct()
            left = set(connection.execute(states).scalars())
            open_ = select(func.count()).where(table_of(Assignment).c.state == "leased")
            held = connection.execute(open_).scalar_one()
        intact = audit_log.verify(project.store).intact
    assert len(rows) == len(dict(rows)) == outbox == state.items, "an answer was lost or counted twice"
    assert dict(rows) == state.told, "a reviewer was told of another decision"
    assert (left, held) == ({"decided"}, 0), "something waits or is held still"
    assert intact, "the audit log does not verify"
    return {"items": state.items, "decided": len(rows), "twice": 0, "lost": 0, "sent again": state.again}


class Api:
    """A reviewer with a token."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        self._http = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(60))
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._http.close()

    async def next(self) -> Any:
        return await self._post("/api/v1/next", {})

    async def decide(self, item: Told, n: int, answer: Told | None = None) -> Any:
        chosen = item["candidates"][n % 2]["id"]
        usual = {"choice": "prefer", "candidate": chosen, "rationale": "Names the interaction."}
        return await self._post(self._decide(item), {"token": item["token"], "answer": answer or usual})

    def _decide(self, item: Told) -> str:
        return f"/api/v1/reviews/{item['review']}/decision"

    async def _post(self, path: str, body: Told) -> Any:
        async with self._http.post(f"{self._address}{path}", json=body) as answer:
            if answer.status >= 500:
                raise aiohttp.ClientError(await answer.text())
            assert answer.status == 200, await answer.text()
            return await answer.json()


class Page(Api):
    """A reviewer at the page: a cookie, the page's CSRF token, the item as HTML."""

    async def __aenter__(self) -> Any:
        jar = aiohttp.CookieJar(unsafe=True)
        self._http = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(60))
        async with self._http.post(f"{self._address}/login", data={"token": self._token}) as answer:
            found = re.search(r'name="csrf" content="([0-9a-f]+)"', await answer.text())
        assert found is not None, "the page did not log in"
        self._http.headers["X-CSRF-Token"] = found[1]
        return self

    async def next(self) -> Any:
        return await self._post("/page/next", {"exclude": []})

    def _decide(self, item: Told) -> str:
        return f"/page/decide/{item['review']}"


class Server:
    """`solon review serve` in a process of its own."""

    def __init__(self, url: str, port: int, *, work: bool = False) -> None:
        self.address, self._url, self._port, self._work = f"http://127.0.0.1:{port}", url, port, work
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "solon", "review", "serve", "--store", self._url]
        command += [] if self._work else ["--no-work"]
        self._process = subprocess.Popen([*command, "--port", str(self._port)], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit("the server did not start")

    def cpu_seconds(self) -> float:
        """CPU time of the process so far: what a busy machine does not blur. Linux only, else 0."""
        assert self._process is not None
        try:
            told = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Its memory now. Linux only, else 0."""
        assert self._process is not None
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except OSError:
            return 0.0
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


@contextmanager
def _serving(url: str, port: int) -> Iterator[Server]:
    server = Server(url, port or _free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _quantiles(values: list[float]) -> Told:
    """n, p50, p95 and the slowest, in milliseconds."""
    ordered = sorted(values)
    places = {"p50": 0.5, "p95": 0.95}
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * q))] for name, q in places.items()}
    return {
        "n": len(ordered),
        **{name: round(1000 * value, 1) for name, value in at.items()},
        "max": round(1000 * ordered[-1], 1),
    }


def _table(found: Told) -> None:
    for name, value in found.items():
        _say(
            f"{name:32} "
            + ("  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


PARTS = {"queue": measure_queue, "reviewers": measure_reviewers, "delivery": measure_delivery}

if __name__ == "__main__":
    main()
