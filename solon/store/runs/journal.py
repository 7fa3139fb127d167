"""The journal of model calls: a finished call of an item is never made, nor paid for, twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select

from solon.store.database import clock
from solon.store.database.claims import Claim
from solon.store.database.ids import hash_id, new_id
from solon.store.database.store import Store
from solon.store.database.writer import Row
from solon.store.runs import items
from solon.store.runs.seed_texts import SeedTexts
from solon.store.tables import calls as _calls
from solon.store.tables import texts
from solon.store.tables.runs import Call

DRAWS = "draw"
"""The role of what was drawn for an item and is kept like a call; no model is asked."""
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class CallKey:
    """All that decides a call's answer. Two calls with equal keys are one call.

    Attributes:
        role: generator, critic, judge, ...: what the model does.
        seat: its place in that role; with `sample` it tells apart calls with equal prompts that shall be independent
            draws.
        sample: number of the try, from 0.
        round: the round of drafts.
        model: the model as the configuration names it, or the function.
        parameters: what is sent with the prompt, e.g. temperature.
        template: name of the prompt's template; no part of the key.
        prompt: the whole prompt.
        schema: the schema that the answer must fit, empty without one.
        opening: how many characters of the prompt are stored once for all calls that begin with them; no part of the
            key.
        closing: how many of its last characters are its template's own, so that they are stored once; no part of the
            key.
    """

    role: str
    seat: str
    sample: int
    round: int
    model: str
    parameters: Mapping[str, Any]
    template: str
    prompt: str
    schema: str
    opening: int = 0
    closing: int = 0
    _known: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def content_key(self, drawn_for: str) -> str:
        """The hash of the key for a seed, or for a further item of one; equal keys of one have the same."""
        if drawn_for not in self._known:
            self._known[drawn_for] = self._hash(drawn_for)
        return self._known[drawn_for]

    def _hash(self, drawn_for: str) -> str:
        parameters = _encode(self.parameters)
        parts = (
            self.role,
            self.seat,
            self.sample,
            self.round,
            self.model,
            parameters,
            self.prompt,
            self.schema,
        )
        return hash_id(drawn_for, *parts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished call: its answer, or the kind of error that was its outcome.

    Attributes:
        call_id: id of the call in the journal.
        text: the answer; empty where there was none.
        outcome: `ok`, or the kind of error.
        error: what went wrong, in words; empty where nothing did.
        logprobs: log probabilities that came with the answer, None without.
        finish_reason: why the model stopped, in the provider's word.
        input_tokens: tokens of the prompt, None where nothing is known of them.
        output_tokens: tokens of the answer, None where nothing is known of them.
        attempts: requests sent for it.
        seconds: how long it took.
        request_id: the provider's id of the last request.
        cost: what it cost in `currency`, None without a price.
        currency: currency of the price, None without one.
        reasoning: what the model wrote beside its answer; empty without any, and where the call was read from the
            journal.
        estimated: the provider did not tell all of the tokens, and they are estimated.
        cached_tokens: those of the input tokens that the provider read from its cache.
        model: the model that gave it in the place of the one that was asked; empty where that one did.
        cached: it was read from the journal, not made just now.
        parsed: the answer read into its schema, where the call was made just now; it says no more than `text`.
    """

    call_id: str
    text: str
    outcome: str = "ok"
    error: str = ""
    logprobs: Any = None
    finish_reason: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    attempts: int = 1
    seconds: float = 0.0
    request_id: str = ""
    cost: float | None = None
    currency: str | None = None
    reasoning: str = ""
    estimated: bool = False
    cached_tokens: int = 0
    model: str = ""
    cached: bool = False
    parsed: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of_code(cls, call_id: str, text: str) -> Outcome:
        """What code answered; `attempts` 0 keeps it out of the numbers of calls."""
        return cls(call_id, text, input_tokens=0, output_tokens=0, attempts=0, cost=0.0)

    @property
    def ok(self) -> bool:
        """Whether the call gave an answer."""
        return self.outcome == "ok"


_answer, _problem = texts.alias("answer"), texts.alias("problem")
_OF_SEED = (
    select(_calls, _answer.c.body.label("answer_text"), _problem.c.body.label("error_text"))
    .join(_answer, _answer.c.id == _calls.c.answer_id, isouter=True)
    .join(_problem, _problem.c.id == _calls.c.error_id, isouter=True)
    .where(_calls.c.run_id == bindparam("of_run"), _calls.c.seed_id == bindparam("of_seed"))
)
"""Built once: building it costs more than running it."""


class ItemJournal:
    """The calls of one item: those that finished before, and those that are made now.

    What is known already is read once, at the first call: many a resumed item makes none.
    """

    def __init__(
        self,
        store: Store,
        texts: SeedTexts,
        *,
        run_id: str,
        item_id: str,
        seed_id: str,
        number: int = 0,
        reuse_run_ids: Sequence[str] = (),
        fresh: bool,
        claim: Claim | None = None,
    ) -> None:
        """Open the journal of an item; nothing is read yet.

        Args:
            texts: those of the seed, which its prompts may quote.
            number: which of its seed's items it is: they share no call.
            reuse_run_ids: runs whose finished calls for the seed are taken over.
            fresh: the item was never started, so that its own run has nothing of it to read.
            claim: what is written is refused once this claim is lost.
        """
        self._store, self.run, self.item, self._seed = store, run_id, item_id, seed_id
        self._texts = texts
        self._drawn_for = hash_id(seed_id, number) if number else seed_id
        self._claim, self._looked = claim, clock.now()
        self._known: dict[str, Outcome] = {}
        self._pending: list[Future[None]] = []
        self._unread = list(reuse_run_ids)
        if not fresh:
            self._unread.append(run_id)

    def _load(self, run_id: str) -> None:
        with self._store.connect() as connection:
            for row in connection.execute(_OF_SEED, {"of_run": run_id, "of_seed": self._seed}):
                if row.answer_text is None and row.outcome == "ok":
                    continue  # erased
                self._known[row.content_key] = Outcome(
                    call_id=row.id,
                    text=row.answer_text or "",
                    outcome=row.outcome,
                    error=row.error_text or "",
                    logprobs=row.logprobs,
                    finish_reason=row.finish_reason or "",
                    cached=True,
                )

    def find(self, key: CallKey) -> Outcome | None:
        """The outcome of an equal call that finished before, in this run or one that it takes calls over from; None
        without one.
        """
        while self._unread:
            self._load(self._unread.pop(0))
        return self._known.get(key.content_key(self._drawn_for))

    async def keep_claim(self) -> None:
        """Check that the item is still this worker's, if that was not checked for a while; call it before a call is
        paid for.

        It goes by the clock of the day, which goes on while a process or its machine sleeps.

        Raises:
            ClaimLost: another worker has taken the item over.
        """
        if self._claim is not None and clock.now() - self._looked > items.CLAIM_SECONDS / 2:
            await self._store.writer.run(lambda _: None, claim=self._claim)
            self._looked = clock.now()

    def call_id(self, key: CallKey) -> str:
        """The id that a call with this key has in this run."""
        return hash_id(self.run, key.content_key(self._drawn_for))

    def write(self, key: CallKey, outcome: Outcome) -> None:
        """Hand a finished call to the writer, without waiting; a later `check` raises what kept it from being
        committed.
        """
        content_key = key.content_key(self._drawn_for)
        prompt, quoted, rows = self._texts.quote(key.prompt[key.opening :], key.closing)
        prompt_id, prompt_row = self._store.text_row(prompt, self._seed)
        answer_id, answer_row = self._texts.row(outcome.text)
        rows += (prompt_row, answer_row)
        texts: dict[str, Any] = {"prompt_id": prompt_id, "answer_id": answer_id, "quoted": quoted or None}
        if key.opening:
            texts["opening_id"], row = self._store.shared_row(key.prompt[: key.opening])
            rows.append(row)
        for name, body in (("error_id", outcome.error), ("reasoning_id", outcome.reasoning)):
            if body:
                texts[name], row = self._store.text_row(body, self._seed)
                rows.append(row)
        rows.append((Call, self._row(key, outcome, content_key, texts)))
        self._known[content_key] = outcome
        lost = partial(self._lost, key, outcome)
        self._pending.append(self._store.writer.post(rows, self._claim, lost))

    def write_vain(self, key: CallKey, outcome: Outcome) -> None:
        """Store what a call took that came to nothing: it counts towards limits, holds no text and answers no later
        call.
        """
        self._pending.append(self._store.writer.post(self._vain(key, outcome)))

    def _lost(self, key: CallKey, outcome: Outcome) -> list[tuple[type, Row]]:
        """The rows of a finished call whose item another worker has taken over: what it cost, and nothing else."""
        lost = replace(outcome, call_id=new_id(), outcome="taken_over", logprobs=None, request_id="")
        return self._vain(key, lost)

    def _vain(self, key: CallKey, outcome: Outcome) -> list[tuple[type, Row]]:
        empty_id, empty_row = self._store.text_row("", self._seed)
        texts = {"prompt_id": empty_id, "answer_id": None}
        return [empty_row, (Call, self._row(key, outcome, outcome.call_id, texts))]

    def _row(self, key: CallKey, outcome: Outcome, content_key: str, texts: Row) -> Row:
        return {
            "id": outcome.call_id,
            "content_key": content_key,
            "run_id": self.run,
            "item_id": self.item,
            "seed_id": self._seed,
            "role": key.role,
            "seat": key.seat,
            "sample": key.sample,
            "round": key.round,
            "model": key.model,
            "parameters": dict(key.parameters),
            "template": key.template,
            "opening_id": None,
            "quoted": None,
            "error_id": None,
            "reasoning_id": None,
            **texts,
            "outcome": outcome.outcome,
            "logprobs": outcome.logprobs,
            "finish_reason": outcome.finish_reason,
            "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens,
            "cached_tokens": outcome.cached_tokens or None,
            "estimated": outcome.estimated,
            "cost": outcome.cost,
            "currency": outcome.currency,
            "attempts": outcome.attempts,
            "seconds": round(outcome.seconds, 4),
            "request_id": outcome.request_id,
            "reused_from": None,
            "created_at": clock.now(),
        }

    def check(self) -> None:
        """Raise what kept an earlier call from being committed."""
        pending, self._pending = self._pending, []
        for future in pending:
            if future.done():
                future.result()
            else:
                self._pending.append(future)
