"""Whole runs on servers that refuse features, keys or everything; and what `solon doctor --probe` finds before one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_openai_server import FakeServer, completion, failure, serving
from sqlalchemy import select

from solon.config import parse_config
from solon.errors import ModelError, ModelRefused, ModelUnavailable
from solon.graphs.runner import GIVE_UP_AFTER
from solon.operations import doctor
from solon.project import Project
from solon.store.tables import calls
from solon.workspace.views import RunSummary

Body = dict[str, Any]
Refuse = Callable[[Body], web.Response | None]
SEEDS = [f"Question {n}?" for n in range(6)]


def well(body: Body) -> dict[str, Any]:
    """What a model of manners answers."""
    wanted = json.dumps(body)
    if body.get("logprobs"):
        token = {"token": "A", "logprob": -0.01}
        return completion("A", choice={"logprobs": {"content": [{**token, "top_logprobs": [token]}]}})
    if "JSON" in wanted or "response_format" in body:
        findings = '"findings"' in wanted or '\\"findings\\"' in wanted
        return completion(
            '{"findings": []}' if findings else '{"rationale": "", "verdict": "A", "confidence": 1}'
        )
    return completion(f"A draft at {body.get('temperature')} of {zlib.crc32(wanted.encode())}.")


class Town:
    """A server with a project beside it, whose runs can be repeated in new sessions."""

    def __init__(self, folder: Path, refuse: Refuse) -> None:
        self.refuse, self.answered, self.folder = refuse, [], folder  # type: ignore[var-annotated]
        self.server = FakeServer()
        self.rows: list[Any] = []

    async def _handle(self, _request: web.Request, body: Body) -> web.StreamResponse:
        refused = self.refuse(body)
        if refused is not None:
            return refused
        self.answered.append(json.dumps(body, sort_keys=True))
        return web.json_response(well(body))

    def settings(self, **more: Any) -> dict[str, Any]:
        model: dict[str, Any] = {"model": "openai:m", "base_url": self.server.base_url, "retries": 0}
        model |= {"concurrency": 2, "price": {"input": 1e6, "output": 1e6}}
        routing = {"policy": "never", "audit_share": 0}
        return {
            "models": {"default": model},
            "routing": routing,
            "run": {"concurrency": 2, "patience": "0"},
            **more,
        }

    def run(self, *limits: int | None, heal: bool = False) -> list[RunSummary | ModelError]:
        """One session with each limit on calls; each summary, or the error that ended it. `heal`: after the first the
        server takes everything."""

        async def work() -> list[RunSummary | ModelError]:
            ends: list[RunSummary | ModelError] = []
            async with serving(self._handle, [{"id": "m"}]) as self.server:
                for limit in limits:
                    config = self.settings(limits={} if limit is None else {"calls": limit})
                    with Project(f"sqlite:///{self.folder / 'store.db'}", config=config) as project:
                        try:
                            ends.append(await project.arun("preference", SEEDS))
                        except ModelError as error:
                            ends.append(error)
                        with project.store.connect() as connection:
                            self.rows = list(connection.execute(select(calls)).mappings())
                    if heal:
                        self.refuse = lambda _: None
            return ends

        return asyncio.run(work())

    def probe(self, **more: Any) -> list[doctor.Check]:
        async def work() -> list[doctor.Check]:
            async with serving(self._handle, [{"id": "m"}]) as self.server:
                config = parse_config(self.settings(**more))
                return await asyncio.to_thread(doctor.check_features, config)

        return asyncio.run(work())


def picky(body: Body) -> web.Response | None:
    """It takes no system role, seed, logprobs, schema nor small max_tokens, each in words of its own."""
    if any(message["role"] == "system" for message in body["messages"]):
        return web.Response(status=400, text="System role not supported")
    if "seed" in body:
        return failure(422, message="Extra inputs are not permitted", param="seed")
    if "logprobs" in body:
        return failure(400, message="This model does not support logprobs")
    if "response_format" in body:
        return failure(400, message="This type of response_format is not available")
    if body["max_tokens"] < 16:
        return failure(400, message="Expected a value >= 16, but got 1 instead.", param="max_tokens")
    return None


def test_a_run_goes_on_without_what_is_refused(tmp_path: Path) -> None:
    town = Town(tmp_path, picky)
    (end,) = town.run(None)
    assert isinstance(end, RunSummary)
    assert end.accepted == len(SEEDS)
    assert len(town.server.requests) == end.model_calls, "every request counts, refused ones too"
    assert end.cost == pytest.approx(end.tokens), "what was refused cost nothing"
    assert len(town.server.requests) - len(town.answered) < 20, "what was refused once is not asked again"


@pytest.mark.parametrize("limits", [(12, 25, 40, None), (7, 8, 9, 10, 30, None)])
def test_stopped_and_resumed_nothing_is_paid_for_twice(
    tmp_path: Path, limits: tuple[int | None, ...]
) -> None:
    """Each session begins knowing nothing of what the model refuses."""
    town = Town(tmp_path, picky)
    *_, end = town.run(*limits)
    assert isinstance(end, RunSummary)
    assert end.accepted == len(SEEDS)
    kinds = Counter(row["outcome"] for row in town.rows)
    assert kinds["ok"] == len(town.answered), "no call that was answered was made again"
    assert set(kinds) <= {"ok", "unsupported", "limit", "broken_off"}, kinds
    assert sum(row["input_tokens"] for row in town.rows if row["outcome"] != "ok") == 0
    assert len(town.server.requests) == end.model_calls


WORKER = """
import json, sys
from solon.project import Project

with Project(sys.argv[1], config=json.loads(sys.argv[2])) as project:
    project.run("preference", json.loads(sys.argv[3]))
"""


@pytest.mark.sqlite("a store that several processes open one after the other")
@pytest.mark.parametrize("at", [3, 20, 31])
def test_killed_and_resumed_what_was_stored_is_not_paid_for_again(tmp_path: Path, at: int) -> None:
    """kill -9 of a process that had learned what the model refuses; the next one learns it anew."""
    town, url = Town(tmp_path, picky), f"sqlite:///{tmp_path / 'store.db'}"
    workers: list[asyncio.subprocess.Process] = []

    def killing(body: Body) -> web.Response | None:
        if len(workers) == 1 and len(town.answered) >= at and workers[0].returncode is None:
            workers[0].kill()
        return picky(body)

    town.refuse = killing

    async def work() -> list[int]:
        async with serving(town._handle) as town.server:
            given = (url, json.dumps(town.settings()), json.dumps(SEEDS))
            for _ in range(2):
                worker = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", WORKER, *given, env=dict(os.environ)
                )
                workers.append(worker)
                await worker.wait()
        return [int(worker.returncode or 0) for worker in workers]

    killed, ended = asyncio.run(work())
    assert (killed < 0, ended) == (True, 0)
    with Project(url, config=town.settings()) as project, project.store.connect() as connection:
        rows = list(connection.execute(select(calls)).mappings())
    stored = sum(row["outcome"] == "ok" for row in rows)
    # Two items are at work, and a step of one asks at most eight questions, which are written when it ends.
    assert stored <= len(town.answered) <= stored + 16, (
        "only what was in flight, or not yet written, is made again"
    )


def test_a_limit_on_calls_counts_the_forms_that_are_tried(tmp_path: Path) -> None:
    town = Town(tmp_path, lambda body: failure(400, message="no") if "seed" in body else None)
    (end,) = town.run(3)
    assert isinstance(end, RunSummary)
    assert len(town.server.requests) == end.model_calls == 3


SICK: list[tuple[str, Callable[[], web.Response], type[ModelError], int]] = [
    ("wrong key", lambda: failure(401, message="no such key"), ModelRefused, 2),
    ("forbidden", lambda: failure(403, message="not for you"), ModelRefused, 2),
    ("unknown model", lambda: failure(404, message="The model `m` does not exist"), ModelRefused, 2),
    ("no such page", lambda: web.Response(status=404, text="<html>nothing here</html>"), ModelRefused, 2),
    ("quota", lambda: failure(429, message="pay", code="insufficient_quota"), ModelRefused, 2),
    ("down", lambda: web.Response(status=503), ModelUnavailable, len(SEEDS)),
    ("broken", lambda: web.Response(status=500, text="boom"), ModelUnavailable, len(SEEDS)),
    ("no JSON", lambda: web.Response(text="<html>login</html>"), ModelUnavailable, len(SEEDS)),
]


@pytest.mark.parametrize(("name", "answer", "kind", "items"), SICK, ids=[case[0] for case in SICK])
def test_what_never_worked_leaves_every_item_queued(
    tmp_path: Path, name: str, answer: Callable[[], web.Response], kind: type[ModelError], items: int
) -> None:
    """It ends with the server's words, and the next run goes on as if nothing had been."""
    town = Town(tmp_path, lambda _: answer())
    error, end = town.run(None, None, heal=True)
    assert isinstance(error, kind), name
    assert error.exit_code == 1
    assert error.next_step
    assert (error.about["queued"], error.about["failed"]) == (len(SEEDS), 0)
    assert error.about["stopped_because"] == error.cause
    assert len(town.server.requests) - len(town.answered) <= 2 * 2 * items
    assert isinstance(end, RunSummary)
    assert (end.run_id, end.accepted, end.failed) == (error.about["run_id"], len(SEEDS), 0)


def test_a_judge_that_never_worked_does_so_too(tmp_path: Path) -> None:
    """The drafts were paid for, and are not made again."""
    dead = {"model": "openai:judge", "retries": 0}

    def wrong(body: Body) -> web.Response | None:
        return failure(401, message="no such key") if body["model"] == "judge" else None

    town = Town(tmp_path, wrong)
    settings = town.settings

    def with_judge(**more: Any) -> dict[str, Any]:
        made = settings(**more)
        made["models"]["judge"] = {**dead, "base_url": town.server.base_url}
        return {**made, "judges": [{"model": "judge"}]}

    town.settings = with_judge  # type: ignore[method-assign]
    error, end = town.run(None, None, heal=True)
    assert isinstance(error, ModelRefused)
    assert (error.about["queued"], error.about["failed"]) == (len(SEEDS), 0)
    assert isinstance(end, RunSummary)
    assert end.accepted == len(SEEDS)
    assert sum(row["outcome"] == "ok" for row in town.rows) == len(town.answered)


@pytest.mark.parametrize("which", [0, 1, 5])
def test_one_item_that_always_fails_is_parked_wherever_it_stands(tmp_path: Path, which: int) -> None:
    """Also where it is the very first: nothing had worked when it failed."""

    def poison(body: Body) -> web.Response | None:
        return web.Response(status=500) if SEEDS[which] in json.dumps(body) else None

    town = Town(tmp_path, poison)
    (end,) = town.run(None)
    assert isinstance(end, RunSummary)
    assert (end.parked, end.accepted) == (1, len(SEEDS) - 1)


def test_a_server_that_goes_down_in_the_middle_parks_and_stops(tmp_path: Path) -> None:
    left = iter(range(20))
    town = Town(tmp_path, lambda _: None if next(left, None) is not None else web.Response(status=503))
    (end,) = town.run(None)
    if isinstance(end, ModelError):
        assert end.about["parked"] >= GIVE_UP_AFTER
    else:
        assert end.parked
        assert end.accepted + end.parked == len(SEEDS)


# Before a run ---------------------------------------------------------------------------------------------------------


def test_the_doctor_finds_all_of_it_in_a_few_calls(tmp_path: Path) -> None:
    town = Town(tmp_path, picky)
    checks = town.probe()
    told = " ".join(check.told for check in checks)
    for word in ("system role", "seed", "logprobs", "response_format", "max_tokens of at least 16"):
        assert word in told, word
    assert {check.state for check in checks} == {"note"}
    steps = " ".join(check.next_step for check in checks)
    assert "json_schema = false" in steps
    assert "logprobs = false" in steps
    assert len(town.server.requests) <= 12


def test_the_doctor_has_nothing_to_say_of_a_server_that_takes_it_all(tmp_path: Path) -> None:
    town = Town(tmp_path, lambda _: None)
    (check,) = town.probe()
    assert (check.state, len(town.server.requests)) == ("ok", 3)


@pytest.mark.parametrize(
    ("refused", "word"),
    [
        (lambda b: b.get("temperature", 1) != 1, "temperature"),
        (lambda b: "top_p" in b, "top_p"),
        (lambda b: "stop" in b, "stop"),
        (lambda b: b.get("top_logprobs", 0) > 5, "top_logprobs of at most 5"),
        (lambda b: "max_tokens" in b, "max_completion_tokens"),
    ],
)
@pytest.mark.parametrize("words", ["", "Invalid request"])
def test_the_doctor_finds_what_no_word_names(
    tmp_path: Path, refused: Callable[[Body], bool], word: str, words: str
) -> None:
    town = Town(tmp_path, lambda body: web.Response(status=400, text=words) if refused(body) else None)
    checks = town.probe()
    assert [check.state for check in checks] == ["note"]
    assert word in checks[0].told


def test_the_doctor_names_a_wrong_key(tmp_path: Path) -> None:
    checks = Town(tmp_path, lambda _: failure(401, message="no such key")).probe()
    assert [check.state for check in checks] == ["broken"]
    assert "no such key" in checks[0].told


def test_the_doctor_sees_what_is_taken_and_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quiet(_body: Body) -> dict[str, Any]:
        answer = completion("Paris.")
        answer.pop("usage")
        return answer

    monkeypatch.setattr(f"{__name__}.well", quiet)
    told = " ".join(check.told for check in Town(tmp_path, lambda _: None).probe())
    for words in ("gives none", "does not tell the tokens", "no answer that keeps to the JSON schema"):
        assert words in told


def test_the_doctor_tells_that_all_is_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        f"{__name__}.well", lambda _: completion("Par", choice={"finish_reason": "content_filter"})
    )
    (check,) = Town(tmp_path, lambda _: None).probe()
    assert check.state == "broken"
    assert "every answer" in check.told
    assert "content_filter" in check.told
    assert "json_schema" not in check.next_step


def test_the_doctor_tells_one_fault_once_and_speaks_of_no_run(tmp_path: Path) -> None:
    (check,) = Town(tmp_path, lambda _: failure(503, message="overloaded")).probe()
    assert check.state == "broken"
    assert "resume" not in check.next_step
    assert check.next_step


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("run `solon resume` later", "ask again later"),
        ("check the network and run `solon resume` later", "check the network"),
        ("start the server, or mend base_url; then run `solon resume`", "start the server, or mend base_url"),
        (
            "run `solon resume` later, or lower `concurrency` of this model: smaller batches",
            "ask again later",
        ),
        (
            "raise `timeout`, or lower `concurrency`; then `solon resume`",
            "raise `timeout`, or lower `concurrency`",
        ),
        ("run `solon resume` later; a longer `timeout` may help", "a longer `timeout` may help"),
    ],
)
def test_a_step_before_a_run_names_none(step: str, told: str) -> None:
    assert doctor._before_a_run(step) == told


def test_a_feature_that_is_refused_is_no_lost_verdict(tmp_path: Path) -> None:
    def without_logprobs(body: Body) -> web.Response | None:
        return failure(400, message="logprobs is not supported here") if "logprobs" in body else None

    (end,) = Town(tmp_path, without_logprobs).run(None)
    assert isinstance(end, RunSummary)
    assert (end.accepted, end.unusable) == (len(SEEDS), ())
