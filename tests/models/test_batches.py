"""Calls by a provider's batch API, against a real server that plays the provider (a fake, without a model)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fake_batch_provider import Line, Provider, Result, line, providing, say

from solon.agents.calls import Ask, Caller, Meter, ModelPool
from solon.agents.memory import MemoryJournal
from solon.agents.models import batches
from solon.config import parse_config
from solon.config.sections import TracingConfig
from solon.errors import ConfigError, LimitReached, ModelRefused, ModelUnavailable
from solon.prompts.library import Rendered
from solon.store.database.ids import hash_id
from solon.store.runs.journal import CallKey
from solon.tracing import make_tracing

FULL = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached for m."}]
PRICE = {"input": 10.0, "cached_input": 1.0, "output": 100.0, "batch": 0.5}


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "POLL", 0.005)
    monkeypatch.setattr(batches, "LOOK", 0.005)


class Journal(MemoryJournal):
    """The journal of a run, whose calls have the same ids in each session."""

    def __init__(self, run: str = "run-1") -> None:
        super().__init__()
        self.run = run

    def call_id(self, key: CallKey) -> str:
        return hash_id(self.run, key.content_key(self.item))


class Session:
    """One session of a run that asks a model by the batch API."""

    def __init__(
        self, provider: Provider, *, run: str = "run-1", limits: Any = None, **settings: Any
    ) -> None:
        model = {"model": "openai:m", "base_url": provider.base_url, "batch": True, "batch_pause": 0.05}
        config = parse_config(
            {"models": {"default": {**model, "price": PRICE, **settings}}, "limits": limits or {}}
        )
        self.pool, self.meter, self.journal = ModelPool(config), Meter.of(config.limits), Journal(run)

    async def _call(self, number: int) -> Any:
        ask = Ask(
            "generator", "1", "default", Rendered("", f"Question {number}?", ""), 8, 0.0, 1, sample=number
        )
        return await Caller(self.pool, self.journal, self.meter, make_tracing(TracingConfig()), {}).call(ask)

    def ask(
        self, many: int, meanwhile: Callable[[], bool] | None = None, *, breaks: bool = False
    ) -> list[Any]:
        """What came of so many calls at once; the session is stopped, or breaks off, as soon as `meanwhile` says so."""

        async def scene() -> list[Any]:
            calls = asyncio.gather(*(self._call(number) for number in range(many)), return_exceptions=True)
            while meanwhile is not None and not meanwhile() and not calls.done():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            if breaks:
                calls.cancel()
            elif meanwhile is not None:
                self.meter.stop("stopped by Ctrl-C")
            try:
                return await asyncio.wait_for(calls, 20)
            finally:
                await self.pool.aclose()

        return asyncio.run(scene())


def answered(_: int, requests: list[Line]) -> Result:
    """Each request is answered with its own question, in another order."""
    return Result(output=[line(one, say(one["body"]["messages"][-1]["content"])) for one in requests[::-1]])


def texts(ends: list[Any]) -> list[str]:
    return [end.text if hasattr(end, "text") else repr(end) for end in ends]


def expected(many: int) -> list[str]:
    return [f"Question {number}?" for number in range(many)]


def test_calls_go_up_together_and_are_matched_by_their_ids() -> None:
    with providing(answered) as provider:
        session = Session(provider)
        ends = session.ask(30)
    assert texts(ends) == expected(30)
    assert [len(requests) for requests in provider.requests] == [30]
    (batch,) = provider.batches.values()
    assert (batch["endpoint"], batch["metadata"]) == ("/v1/chat/completions", {"solon_run": "run-1"})
    assert session.meter.calls == 30
    assert session.meter.cached_tokens == 30 * 60
    assert session.meter.cost == pytest.approx(30 * 0.5 * (40 * 10 + 60 * 1 + 10 * 100) / 1e6)
    assert session.meter.batches == "", "nothing is waited for any more"


@pytest.mark.parametrize(
    ("limit", "most", "parts"),
    [("MOST_REQUESTS", 4, [2, 4, 4]), ("MOST_BYTES", 800, [1, 3, 3, 3]), ("MOST_BYTES", 10, [1] * 10)],
)
def test_large_batches_are_parted(
    limit: str, most: int, parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their requests or bytes; a request that is larger than a file may be goes up alone."""
    monkeypatch.setattr(batches, limit, most)
    with providing(answered) as provider:
        assert texts(Session(provider).ask(10)) == expected(10)
    assert sorted(len(requests) for requests in provider.requests) == parts


def test_what_is_spoilt_is_sent_again_and_what_is_good_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """A result file that is short, in another order, with foreign ids, a broken line and a request that failed."""

    def spoilt(number: int, requests: list[Line]) -> Result:
        good = answered(number, requests)
        if number:
            return good
        foreign = line({"custom_id": "of-somebody-else"}, say("not yours"))
        again = {**good.output[0], "response": {**good.output[0]["response"], "body": say("a second answer")}}  # type: ignore[index,dict-item]
        failed = line(requests[0], {"error": {"message": "overloaded"}}, status=503)
        odd: list[Any] = [
            b'{"custom_id": "',
            b"[1, 2]",
            {"custom_id": requests[1]["custom_id"], "response": "?"},
        ]
        return Result(output=[foreign, *good.output[:4], again, *odd], errors=[failed])

    with providing(spoilt) as provider, caplog.at_level(logging.WARNING):
        session = Session(provider)
        assert texts(session.ask(8)) == expected(8)
    assert [len(requests) for requests in provider.requests] == [8, 4]
    assert session.meter.calls == 12, "each request counts"
    assert (
        "2 lines of its results cannot be read, 1 are answers to requests that it did not have" in caplog.text
    )


def test_a_batch_that_expires_half_done_keeps_what_was_answered() -> None:
    def expires(number: int, requests: list[Line]) -> Result:
        done = answered(number, requests)
        late = {
            "code": "batch_expired",
            "message": "This request could not be executed before the window expired.",
        }
        if number == 0:
            errors: Any = [line(one, error=late, response=None) for one in requests[:3]]
            return Result("expired", done.output[:-3], errors)
        return done

    with providing(expires) as provider:
        assert texts(Session(provider).ask(8)) == expected(8)
    first, second = provider.requests
    assert {one["custom_id"] for one in second} == {one["custom_id"] for one in first[:3]}


def test_tries_end() -> None:
    with providing(lambda *_: Result("expired")) as provider:
        ends = Session(provider, retries=2).ask(2)
    assert len(provider.batches) == 3
    assert all(isinstance(end, ModelUnavailable) for end in ends)
    assert "(expired) brought no answer to the request" in str(ends[0])


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"message": "maximum context length is 8", "code": "context_length_exceeded"}, "too_long"),
        (401, {"message": "no such key"}, "refused"),
    ],
)
def test_what_would_be_refused_again_is_not_sent_again(status: int, error: Any, kind: str) -> None:
    def refuses(_: int, requests: list[Line]) -> Result:
        return Result(errors=[line(one, {"error": error}, status=status) for one in requests])

    with providing(refuses) as provider:
        ends = Session(provider).ask(1)
    assert len(provider.batches) == 1
    assert getattr(ends[0], "outcome", None) == kind or getattr(ends[0], "kind", None) == kind


def test_an_answer_without_choices_is_paid_for_as_told() -> None:
    """Whether it says what went wrong or nothing at all; the second answer can be used."""

    def empty(number: int, requests: list[Line]) -> Result:
        good = answered(number, requests)
        if number == 0:
            bodies = [say(choices=[]), say(choices=[], error={"message": "overloaded"})]
            return Result(output=[line(*one) for one in zip(requests, bodies, strict=True)])
        return good

    with providing(empty) as provider:
        session = Session(provider)
        ends = session.ask(2)
    assert sorted(isinstance(end, ModelUnavailable) for end in ends) == [False, True]
    assert (session.meter.calls, session.meter.input_tokens, session.meter.output_tokens) == (3, 300, 30)
    assert session.meter.cost == pytest.approx(3 * 0.5 * (40 * 10 + 60 * 1 + 10 * 100) / 1e6)


def test_a_batch_without_room_goes_up_again_when_another_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_REQUESTS", 2)
    told: list[str] = []

    def crowded(number: int, requests: list[Line]) -> Result | None:
        if number == 0:  # runs until progress says that the other waits for it
            told.append(session.meter.batches)
            return answered(number, requests) if FULL[0]["message"] in told[-1] else None
        return Result("failed", whole=FULL) if number == 1 else answered(number, requests)

    with providing(crowded) as provider:
        session = Session(provider, retries=0)
        assert texts(session.ask(4)) == expected(4)
    assert [len(requests) for requests in provider.requests] == [2, 2, 2]
    assert session.meter.calls == 4, "what the provider did not look at is no request"
    assert "did not take batch batch_1: Enqueued token limit reached for m. (goes up again" in told[-1]


@pytest.mark.parametrize(
    ("code", "error"), [("token_limit_exceeded", ModelUnavailable), ("invalid", ModelRefused)]
)
def test_a_batch_that_is_not_taken_says_why(code: str, error: type[Exception]) -> None:
    """Where no other runs that could end, one that finds no room is tried once more."""
    whole = [{**FULL[0], "code": code}]
    with providing(lambda *_: Result("failed", whole=whole)) as provider:
        (end,) = Session(provider).ask(1)
    assert isinstance(end, error)
    assert f"did not take batch {[*provider.batches][-1]}: Enqueued token limit reached for m." in str(end)
    assert len(provider.batches) == 1 + (error is ModelUnavailable)


def test_a_later_session_takes_up_what_an_earlier_one_sent() -> None:
    """The first is stopped while its batch is at the provider; the second pays for nothing that was asked before."""
    done: list[bool] = []
    with providing(lambda n, requests: answered(n, requests) if done or n else None) as provider:
        first = Session(provider)
        ends = first.ask(6, meanwhile=lambda: "0 of 6 done (in progress)" in first.meter.batches)
        assert all(isinstance(end, LimitReached) for end in ends)
        assert (
            "batch batch_0 with 6 requests is still at the provider; `solon resume`" in first.meter.stopping
        )
        assert (first.meter.calls, first.meter.cost, provider.cancelled) == (0, 0.0, [])
        assert Session(provider, run="another").ask(1)[0].ok
        done.append(True)
        second = Session(provider)
        assert texts(second.ask(8)) == expected(8)
    assert [len(requests) for requests in provider.requests] == [6, 1, 2], "only two were new"
    assert second.meter.calls == 8


def test_what_is_broken_off_counts_as_what_is_left() -> None:
    """As by a second Ctrl-C: whoever takes its answer counts it."""
    done: list[bool] = []
    with providing(lambda n, requests: answered(n, requests) if done else None) as provider:
        first = Session(provider)
        with pytest.raises(asyncio.CancelledError):
            first.ask(3, meanwhile=lambda: bool(first.meter.batches), breaks=True)
        assert (first.meter.calls, first.meter.unknown_cost, first.meter.cost) == (0, 0, 0.0)
        done.append(True)
        second = Session(provider)
        assert texts(second.ask(3)) == expected(3)
    assert (len(provider.batches), second.meter.calls) == (1, 3)


def test_a_batch_whose_file_is_gone_is_waited_for_before_anything_is_sent() -> None:
    done: list[bool] = []
    with providing(
        lambda n, requests: answered(n, requests) if done else None, keeps_inputs=False
    ) as provider:
        first = Session(provider)
        first.ask(3, meanwhile=lambda: bool(first.meter.batches))
        done.append(True)
        assert texts(Session(provider).ask(4)) == expected(4)
    assert [len(requests) for requests in provider.requests] == [3, 1]


def test_a_batch_is_cancelled_where_that_is_asked_for() -> None:
    with providing(lambda n, requests: answered(n, requests) if n else None) as provider:
        first = Session(provider, batch_stop="cancel")
        first.ask(4, meanwhile=lambda: bool(first.meter.batches))
        assert provider.cancelled == ["batch_0"]
        assert (
            "batch_0 with 4 requests is being cancelled; `solon resume` takes what was answered"
            in first.meter.stopping
        )
        ends = Session(provider, retries=0).ask(4)
    assert texts(ends) == ["hello", *expected(4)[1:]], "what was answered before it was cancelled is taken"
    assert [len(requests) for requests in provider.requests] == [4, 3]


def test_a_batch_whose_making_brought_no_answer_is_not_made_twice() -> None:
    with providing(answered, lose=1, away=3) as provider:
        assert texts(Session(provider).ask(3)) == expected(3)
    assert len(provider.batches) == 1


def test_a_limit_waits_for_what_was_sent() -> None:
    with providing(answered) as provider:
        session = Session(provider, limits={"calls": 3})
        ends = session.ask(5)
    assert sum(getattr(end, "ok", False) for end in ends) == 3
    assert sum(isinstance(end, LimitReached) for end in ends) == 2


def test_a_limit_on_cost_counts_what_is_at_the_provider() -> None:
    """One call is expected to cost at most 0.5 * (20 * 10 + 8 * 100) / 1e6 = 0.0005."""
    with providing(answered) as provider:
        ends = Session(provider, limits={"cost": 0.001}).ask(10)
    assert 1 <= sum(getattr(end, "ok", False) for end in ends) <= 3


@pytest.mark.parametrize("answer", [{"id": "../../admin"}, {"id": None}, {}])
def test_ids_that_are_none_go_into_no_address(
    answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(self: Provider, _: Any) -> Any:
        from aiohttp import web

        return web.json_response(answer)

    monkeypatch.setattr(Provider, "create", create)
    with providing(answered) as provider:
        (end,) = Session(provider).ask(1)
    assert isinstance(end, ModelUnavailable)
    assert "gave no id" in str(end)


def test_a_server_without_a_batch_api_is_told() -> None:
    with providing(answered) as provider:
        session = Session(provider, base_url=provider.base_url + "/elsewhere")
        (end,) = session.ask(1)
    assert isinstance(end, ModelRefused)
    assert "has no batch API: GET /batches is HTTP 404" in str(end)
    assert "take `batch = true` out" in end.next_step


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "scripted:x"}, "batch = true is for models of openai:"),
        ({"model": "openai:x", "hedge": True}, "batch = true and hedge = true cannot go together"),
    ],
)
def test_configurations_that_cannot_batch(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config({"models": {"default": {**settings, "batch": True}}})


def test_an_unknown_price_of_a_batch_is_not_guessed() -> None:
    price = {"input": 10.0, "output": 100.0}
    with providing(answered) as provider:
        session = Session(provider, price=price)
        session.ask(2)
    assert (session.meter.cost, session.meter.unknown_cost) == (0.0, 2)


def test_how_calls_go_up_shapes_no_run() -> None:
    plain = parse_config({"models": {"default": {"model": "openai:m", "price": {"input": 1, "output": 2}}}})
    batched = parse_config(
        {"models": {"default": {"model": "openai:m", "batch": True, "price": {"input": 1, "output": 2}}}}
    )
    assert plain.fingerprint() == batched.fingerprint()
    assert plain.effective()["models"]["default"]["price"].keys() == {"input", "output", "currency", "as_of"}


def test_times_and_counts_are_read_and_what_is_no_number_is_none() -> None:
    given = (1_796_000_000, 200, True, float("nan"), float("inf"), -1, 10**400, "7")
    assert [batches._number(one) for one in given] == [1_796_000_000.0, 200.0, 0, 0, 0, 0, 0, 0]
