"""Model calls as the agents make them: journalled, counted, limited, and with their errors in place.

`ModelPool` holds the chat models of a configuration; `Meter` counts what a run spends and stops it at its limits;
`Caller` makes the calls of one item through the item's journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from pydantic import BaseModel

from solon.agents.echoes import own_words
from solon.agents.memory import MemoryJournal
from solon.agents.models.gate import FIRST_PAUSE, Gate, GateClosed, Place
from solon.agents.models.pace import Pace
from solon.agents.models.tokens import most_tokens
from solon.agents.models.tries import OF_CALL, Tries
from solon.config import ROLES, Config
from solon.config.sections import LimitsConfig, ModelConfig, seconds_of, spell_duration
from solon.errors import BadOutput, ConfigError, LimitReached, ModelError, ModelUnavailable, TooLong
from solon.prompts.library import Rendered
from solon.store.database.ids import new_id
from solon.store.database.storable import storable
from solon.store.database.store import Store
from solon.store.runs import spending
from solon.store.runs.journal import CallKey, ItemJournal, Outcome
from solon.store.runs.runs import Spent
from solon.store.runs.spending import Total
from solon.tracing import INPUT, OUTPUT, Tracing, call_attributes

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.agents.models.capabilities import Capabilities
    from solon.agents.models.features import Limit
    from solon.agents.models.structured import Reply
    from solon.plugins import Plugin


@dataclass(slots=True)
class Member:
    """A chat model of a pool with what is known of it.

    Attributes:
        config: how the model is configured.
        chat: the chat model itself.
        capabilities: what it can do: schemas, log probabilities, context.
        gate: of the deployment, which other members may share.
    """

    config: ModelConfig
    chat: BaseChatModel
    capabilities: Capabilities
    gate: Gate


class ModelPool:
    """The chat models of a configuration, made when first needed, with one gate for each deployment: models that are
    called by the same name at the same address with the same key share it."""

    def __init__(
        self,
        config: Config,
        *,
        given: Mapping[str, BaseChatModel] | None = None,
        plugins: Mapping[str, Plugin] | None = None,
    ) -> None:
        self._config = config
        self._given = dict(given or {})
        self._plugins = dict(plugins or {})
        self._loaded: dict[str, Plugin] = {}
        self._members: dict[str, Member] = {}
        self._gates: dict[tuple[str | None, ...], Gate] = {}
        self._learned: dict[str, dict[str, Limit]] = {}

    def __getitem__(self, name: str) -> Member:
        if name not in self._members:
            from solon.agents.hosts import check_host
            from solon.agents.models.capabilities import capabilities_of
            from solon.agents.models.factory import make_chat_model

            config = self._config.models.get(name)
            if config is None:  # of a role that no run asks: a legislator's, beside a disabled resolver
                there = ", ".join(sorted(self._config.models))
                raise ConfigError(f"[models] has no {name!r}", next_step=f"it has {there}; add one")
            chat = self._given.get(name) or make_chat_model(config)
            check_host(self._config, name, chat, given=name in self._given)
            _let_watch_only(chat)
            known = getattr(chat, "capabilities", None) or capabilities_of(config)
            if (dialect := getattr(chat, "dialect", None)) is not None:
                known = replace(known, dialect=dialect)
            known.dialect.limits = self._learned.get(name, known.dialect.limits)
            gate = self._gate(name, config, config.concurrency or known.default_concurrency)
            self._members[name] = Member(config, chat, known, gate)
        return self._members[name]

    def _gate(self, name: str, config: ModelConfig, ceiling: int) -> Gate:
        """The gate of a model's deployment; where several names stand for it, what the first one says of it counts."""
        deployment = (config.model, config.base_url, config.api_key_env)
        if name in self._given:
            deployment = (name, None, None)
        if deployment not in self._gates:
            pace = Pace.of(config.requests_per_minute, config.tokens_per_minute)
            patience = seconds_of(self._config.run.patience)
            self._gates[deployment] = Gate(ceiling, pace=pace, patience=patience)
        return self._gates[deployment]

    def line(self, name: str) -> tuple[Member, ...]:
        """The model of this name, then the one that is asked where it does not answer."""
        member = self[name]
        return (member, self[member.config.fallback]) if member.config.fallback else (member,)

    def prepare(self, roles: Collection[str] = ROLES) -> None:
        """Make every model that one of these roles names, and load every function, so that a wrong one shows before any
        item."""
        from solon.agents.models.embedding import check_embedding

        check_embedding(self._config.law)
        for name in self._config.models_in_use(roles):
            _ = self[name]
        self._load()

    def _load(self) -> None:
        from solon.plugins import load_all

        self._loaded = load_all(self._config, self._plugins)

    def plugin(self, reference: str) -> Plugin:
        """The function that a configuration names as `reference` in the place of a model, loaded when first
        asked for."""
        if reference not in self._loaded:
            self._load()
        return self._loaded[reference]

    @property
    def guarded(self) -> bool:
        """Whether the seeds may name people, so that errors must not repeat what was sent."""
        return self._config.privacy.guarded

    @property
    def concurrency(self) -> int:
        """How many items in flight keep every model busy, without many calls waiting for a place: at least
        4."""
        wanted = [m.config.concurrency or m.capabilities.default_concurrency for m in self._members.values()]
        return max([4, *wanted])

    async def aclose(self) -> None:
        """Close the connections of every model."""
        for name, member in self._members.items():
            self._learned[name] = member.capabilities.dialect.limits
            close = getattr(member.chat, "aclose", None)
            if close is not None:
                await close()
        self._members.clear()
        self._gates.clear()


def _let_watch_only(chat: BaseChatModel) -> None:
    """Let LangChain's handlers only watch a model's calls: LangChain logs what they raise, and no call ends by
    it."""
    callbacks: Any = getattr(chat, "callbacks", None)
    for handler in getattr(callbacks, "handlers", callbacks) or ():
        handler.raise_error = False


@dataclass(slots=True)
class Account:
    """One worker's share of a run's limits, for runs that several processes work on.

    Requests are set aside in the store a few at a time: an eighth of what is left, at most `MOST_SET_ASIDE`.
    So the last ones go to whoever needs them, and far from the limit the store is seldom asked.

    Attributes:
        store: where all workers of the run set requests aside.
        run_id: the run whose limits these are.
        by: the worker's name.
        before: what the worker's meter had counted when the account was opened.
        left: requests that may still be sent without asking the store.
        elsewhere: what others have spent or set aside since this worker began.
    """

    store: Store
    run_id: str
    by: str
    before: Total
    left: int = 0
    elsewhere: Total = field(default_factory=Total)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(cls, store: Store, run_id: str, by: str, meter: Meter) -> None:
        """Open an account and give it to the meter, which from then on spends only what other workers of the
        run leave."""
        first = await store.writer.run(partial(spending.open_account, run_id=run_id, by=by))
        meter.account = cls(store, run_id, by, meter.total, elsewhere=first - meter.total)

    async def set_aside(self, meter: Meter) -> None:
        """Set some requests aside for this worker in the store. `left` stays 0 and the meter stops where the
        run has none."""
        async with self._turn:
            if self.left or meter.stopping:
                return
            wanted = max(1, min(MOST_SET_ASIDE, meter.room() // 8))
            others, granted = await self.store.writer.run(
                partial(
                    spending.set_aside,
                    run_id=self.run_id,
                    by=self.by,
                    own=meter.total - self.before,
                    wanted=wanted,
                    most=meter.max_calls,
                )
            )
            self.elsewhere, self.left = others - self.before, granted
            if not granted:
                meter.stopping = f"--max-calls {meter.max_calls} reached"

    async def close(self, meter: Meter) -> None:
        """Give back what is set aside and was not used, and take the account from the meter."""
        own = meter.total - self.before
        await self.store.writer.run(partial(spending.close_account, run_id=self.run_id, by=self.by, own=own))
        meter.account = None


MOST_SET_ASIDE = 64
DOUBTED = 4
"""Times that a call is made which fails while no other is answered, before it is told from an outage."""
_LOGPROBS = frozenset({"logprobs"})


@dataclass(slots=True)
class Meter:
    """What a run spends, and where it stops. Numbers start with what earlier sessions of the run have spent.

    Attributes:
        max_calls: limit on requests; None without one.
        max_tokens: limit on input and output tokens together; None without one.
        max_cost: limit on cost, in the currency of the models' prices; None without one.
        max_seconds: limit on the time of work; None without one.
        worked: seconds of work of earlier sessions.
        calls: requests sent, further tries included.
        finished: calls that came to an outcome.
        cached: calls that were answered from the journal.
        input_tokens: tokens of prompts.
        output_tokens: tokens of answers.
        cached_tokens: those of `input_tokens` that providers read from their caches.
        unknown_tokens: calls of which a model did not tell the tokens; those above are estimated for them.
        cost: of all calls whose price is known.
        unknown_cost: calls whose cost is not known.
        stopping: why no further call is admitted, in words; empty while calls are.
        leaving: whether calls that wait at a provider's batch API are left there; those in flight elsewhere are
            finished.
        away: which server is being waited for and for how long, in words; empty while none is.
        batches: which batches at providers are waited for, and how far they are, in words; empty while none is.
        watch: is told of each change of what it names: `away` with those words, and empty ones when it is over;
            `stood_in` with the model that answered in another one's place.
        in_flight: calls that were admitted and have not ended.
        open_tokens: tokens of the answers that these have got so far, of which they have made nothing yet.
        open_cost: the cost of these.
        answered: the models that have answered in this session.
        over: whether `land` was called: no further call is admitted.
        of_run: whether the limits are those of the run, over all its sessions and processes, or of this meter
            alone.
        account: this worker's share of the run's limits; None where no other worker counts.
        started: when the meter was made, by the monotonic clock, in seconds.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    worked: float = 0.0
    calls: int = 0
    finished: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    unknown_tokens: int = 0
    cost: float = 0.0
    unknown_cost: int = 0
    stopping: str = ""
    leaving: bool = False
    away: str = ""
    batches: str = ""
    watch: Callable[[str, str], None] = lambda _what, _words: None
    in_flight: int = 0
    open_tokens: int = 0
    open_cost: float = 0.0
    over: bool = False
    of_run: bool = False
    account: Account | None = None
    answered: set[str] = field(default_factory=set)
    _landed: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, limits: LimitsConfig) -> Self:
        """A meter with these limits, which has counted nothing yet."""
        return cls(
            max_calls=limits.calls,
            max_tokens=limits.tokens,
            max_cost=limits.cost,
            max_seconds=limits.seconds,
        )

    @classmethod
    def make(cls, limits: LimitsConfig, before: Spent, worked: float = 0.0) -> Self:
        """A meter of a run's limits.

        Args:
            limits: the limits as configured.
            before: what the run has spent in earlier sessions; zeros where no limit asks for it.
            worked: seconds that earlier sessions have worked on it.
        """
        meter = cls.of(limits)
        meter.worked, meter.of_run = worked, limits.any
        meter.calls, meter.cost = before.calls, before.cost
        meter.input_tokens, meter.output_tokens = before.input_tokens, before.output_tokens
        meter.unknown_cost = before.unpriced
        return meter

    async def admit(self) -> None:
        """Count a call that is about to be made, together with its first request. Every admitted call must be
        released.

        Raises:
            LimitReached: the run is stopping, or this call would be one too many.
        """
        await self.leave()
        self.in_flight += 1

    async def leave(self) -> None:
        """Give leave for one request that is about to be sent, and count it.

        Raises:
            LimitReached: as of `admit`.
        """
        self.check()
        if self.account is not None and not self.account.left:
            await self.account.set_aside(self)
            self.check()
        self.calls += 1
        if self.account is not None:
            self.account.left -= 1

    def check(self) -> None:
        """Check that the run goes on, before something that takes time or money.

        Raises:
            LimitReached: as of `admit`.
        """
        self.stopping = self.stopping or self._reached()
        if self.stopping or self.over:
            raise LimitReached(self.stopping or "the run is over", next_step="continue with `solon resume`")

    def stop(self, why: str) -> None:
        """Admit no further call, and leave what waits at a provider's batch API there."""
        self.stopping, self.leaving = self.stopping or why, True

    def leave_behind(self, what: str) -> None:
        """Say, with why the run stops, what is left at a provider."""
        self.stopping = "; ".join(filter(None, (self.stopping, what)))

    def await_batches(self, which: str) -> None:
        """Say which batches are waited for; empty: none any more."""
        self.batches = which

    def wait_for(self, server: str) -> None:
        """Say which server is being waited for; empty: none any more."""
        before, self.away = self.away, server
        if bool(before) != bool(server):
            self.watch("away", server)

    @property
    def total(self) -> Total:
        """The requests, tokens and cost that this meter has counted, earlier sessions included."""
        return Total(self.calls, self.input_tokens + self.output_tokens, self.cost)

    def room(self) -> int:
        """About how many further requests the limits allow, from what those so far have taken."""
        known = self.total + self.account.elsewhere if self.account is not None else self.total
        rooms = [] if self.max_calls is None else [float(self.max_calls - known.calls)]
        for most, used in ((self.max_tokens, known.tokens), (self.max_cost, known.cost)):
            if most is not None:
                rooms.append((most - used) * known.calls / used if used else 1.0)
        return int(min(rooms, default=0.0))

    def _reached(self) -> str:
        """The limit that is reached, in words; empty if none is."""
        known = self.total + self.account.elsewhere if self.account is not None else self.total
        if self.max_calls is not None and known.calls >= self.max_calls:
            return f"--max-calls {self.max_calls} reached"
        if self.max_tokens is not None and known.tokens + self.open_tokens >= self.max_tokens:
            return f"--max-tokens {self.max_tokens} reached"
        if self.max_cost is not None and known.cost + self.open_cost >= self.max_cost:
            return f"--max-cost {self.max_cost} reached"
        if self.max_seconds is not None and self.worked + time.monotonic() - self.started >= self.max_seconds:
            return f"--max-time {spell_duration(self.max_seconds)} reached"
        return ""

    def hold(self, config: ModelConfig, input_tokens: int, output_tokens: int) -> None:
        """Count an answer that a call in flight has got, for the limits alone; with negative tokens take it off again,
        since the call has ended and counts as a whole."""
        if self.max_tokens is None and self.max_cost is None:
            return
        self.open_tokens += input_tokens + output_tokens
        self.open_cost += _cost(config, input_tokens, output_tokens) or 0.0

    def release(self) -> None:
        """Take note that an admitted call has ended, whatever came of it."""
        self.in_flight -= 1
        self._landed.set()

    async def land(self) -> None:
        """Admit no further call and wait until none is in flight."""
        self.over = True
        while self.in_flight:
            self._landed.clear()
            await self._landed.wait()

    def reopen(self) -> None:
        """Admit calls again after `land`: learning may have sent items to judges that were not asked before."""
        self.over = False

    def count_reused(self, outcome: Outcome) -> None:
        """Count a call that was not made, since the journal holds an equal one."""
        self.cached += 1

    def count(self, outcome: Outcome) -> None:
        """Count a call that has come to an outcome. One that was too long was never sent: its request is taken
        off again."""
        self.finished += 1
        if outcome.attempts == 0:
            self.calls -= 1  # too long: it was never sent
        self.add(outcome)

    def add(self, outcome: Outcome) -> None:
        """Add the tokens and the cost of a call, whatever came of it."""
        if outcome.estimated or outcome.input_tokens is None or outcome.output_tokens is None:
            self.unknown_tokens += 1
        self.input_tokens += outcome.input_tokens or 0
        self.output_tokens += outcome.output_tokens or 0
        self.cached_tokens += outcome.cached_tokens
        if outcome.cost is None:
            self.unknown_cost += 1
        else:
            self.cost += outcome.cost


@dataclass(frozen=True, slots=True)
class Ask:
    """One call that an agent wants: who asks, what, and how.

    Attributes:
        role: generator, critic, judge, resolver, legislator or checker.
        seat: the place within the role, such as a judge's seat, pair and order; part of the journal's key.
        model: the model's name in the configuration's [models].
        prompt: the rendered prompt.
        max_tokens: bound on the answer, in tokens.
        temperature: of the sampling.
        seed: of the sampling, derived from the item's random seed.
        sample: which try this is of several with the same prompt, from 0.
        round: how often the item was redrafted before.
        schema: what a structured answer must follow; None for prose.
        logprobs: whether log probabilities are asked for: of the first token, without which the answer is of no use; or
            with a schema of its numbers, where the model gives them.
        ends: the prompt's user part is a text that the model writes on without its chat template, until one of these;
            None: it is a question to be answered.
    """

    role: str
    seat: str
    model: str
    prompt: Rendered
    max_tokens: int
    temperature: float
    seed: int
    sample: int = 0
    round: int = 0
    schema: type[BaseModel] | None = None
    logprobs: bool = False
    ends: tuple[str, ...] | None = None


@runtime_checkable
class Heard(Protocol):
    """A chat model that can tell whether anybody listens to its calls."""

    def is_heard(self) -> bool:
        """Whether any callback or tracer listens to the model's calls here."""


@dataclass(slots=True)
class Caller:
    """Makes the calls of one item, through its journal.

    Attributes:
        pool: the chat models of the run.
        journal: holds the finished calls of the item, and of earlier runs that it may use; without a store those of
            the case.
        meter: counts the calls and stops them at the run's limits.
        tracing: where spans go.
        heard: by the model's name, whether anybody listens to its calls; shared by all callers of a run.
        stood_in: whether another model has answered a call of the item in the place of the one that was asked, so that
            no certificate speaks of it.
        in_flight: calls of the item that were admitted and have not ended.
        over: the item is given up for now, so that no further call of it is made.
    """

    pool: ModelPool
    journal: ItemJournal | MemoryJournal
    meter: Meter
    tracing: Tracing
    heard: dict[str, bool]
    stood_in: bool = False
    in_flight: int = 0
    over: bool = False
    _landed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def admit(self) -> None:
        """Count a call of the item that is about to be made, as `Meter.admit` does. Every admitted call must be
        released.

        Raises:
            LimitReached: as of `Meter.admit`, or the item was given up.
        """
        self.check()
        self.in_flight += 1  # before the wait for leave, which `land` may begin in
        try:
            await self.meter.admit()
        except BaseException:
            self._end()
            raise

    def release(self) -> None:
        """Take note that an admitted call has ended and is journalled, whatever came of it."""
        self.meter.release()
        self._end()

    def _end(self) -> None:
        self.in_flight -= 1
        self._landed.set()

    def check(self) -> None:
        """Check that the item was not given up, before something that takes time or money.

        Raises:
            LimitReached: it was.
        """
        if self.over:
            raise LimitReached("the item was given up", next_step="continue with `solon resume`")

    async def land(self) -> None:
        """Make no further call of the item, and wait until none is in flight: what is journalled after the claim on the
        item was given back is lost, and would be paid for again."""
        self.over = True
        while self.in_flight:
            self._landed.clear()
            await self._landed.wait()

    def can_give_logprobs(self, model: str) -> bool:
        """Whether answers of this model can carry log probabilities."""
        return self.pool[model].capabilities.gives_logprobs

    def voter(self, model: str, outcome: Outcome | None = None) -> str:
        """The name under which a model votes: seats of one model are one voter. An `outcome` that another model gave in
        its place is that one's."""
        return (outcome.model if outcome is not None else "") or self.pool[model].config.model

    async def call(self, ask: Ask) -> Outcome:
        """The outcome of a call: from the journal where an equal one has finished before, else by asking the
        model.

        An answer that breaks its schema and a prompt that is too long are outcomes, not exceptions: they
        would be the same again.

        Raises:
            ModelUnavailable, ModelRefused: the model cannot be reached, or does not take the request.
            LimitReached: the run has reached a limit.
        """
        line = self.pool.line(ask.model)
        keys = [_key(ask, member) for member in line]
        for member, key in zip(line, keys, strict=True):
            if (known := self.journal.find(key)) is not None:
                self.meter.count_reused(known)
                return self._signed(known, member, line[0])
        places = [member.gate.place(ask.role, partial(_about, ask)) for member in line]
        failures = 0
        while True:
            failed: ModelUnavailable | None = None
            for member, key, place in zip(line, keys, places, strict=True):
                if not member.gate.closed:
                    try:
                        outcome = await self._ask(ask, member, key, place)
                    except GateClosed:
                        continue
                    except ModelUnavailable as error:
                        if error.of_item:
                            raise
                        failed, failures = error, failures + 1
                        continue
                    return self._taken(outcome, member, line[0])
            doubtful = any(place.gate.patient and not place.alone for place in places)
            if failed is not None and doubtful and failures < DOUBTED:
                # The calls beside it show meanwhile whether it is the server.
                await asyncio.sleep(FIRST_PAUSE * failures)
            else:
                await self._wait(line, failed)

    def _taken(self, outcome: Outcome, member: Member, first: Member) -> Outcome:
        """An answer that has just come, signed by who gave it."""
        if self.meter.away:
            self.meter.wait_for("")
        outcome = self._signed(outcome, member, first)
        if outcome.model:
            self.meter.watch("stood_in", f"{outcome.model} stood in for {first.config.model}")
        return outcome

    def _signed(self, outcome: Outcome, member: Member, first: Member) -> Outcome:
        """The outcome with the model that gave it, where that is another one than the model that was asked first."""
        if member.config.model == first.config.model:
            return outcome
        self.stood_in = True
        return replace(outcome, model=member.config.model)

    async def _wait(self, line: Sequence[Member], failed: ModelUnavailable | None) -> None:
        """Wait until one of these may be asked again, while there is an outage of all of them.

        Raises:
            ModelUnavailable: there is none, so that the call has failed by itself; or it lasts too long.
            LimitReached: the run is stopped meanwhile.
        """
        gates = [member.gate for member in line]
        if failed is not None and not all(gate.outage for gate in gates):
            raise failed
        while all(gate.closed for gate in gates):
            self.check()
            self.meter.check()
            lasts, name = max(gate.outage for gate in gates), line[0].config.model
            if lasts > gates[0].patience:
                error = failed or ModelUnavailable(f"{name} has not answered for {spell_duration(lasts)}")
                error.next_step, error.model = "see to the server, then run `solon resume`", name
                error.outage = failed is None
                raise error
            soon = min(gate.until_probe for gate in gates)
            self.meter.wait_for(
                f"no answer from {name} for {spell_duration(lasts)}, tried again in {spell_duration(soon)}"
            )
            await asyncio.sleep(min(soon or 1.0, 1.0))

    async def _ask(self, ask: Ask, member: Member, key: CallKey, place: Place) -> Outcome:
        """Ask a member and journal what came of it.

        Raises:
            GateClosed: it does not answer, and another call probes it.
        """
        self.check()
        await place.take()
        try:
            await self.journal.keep_claim()
            await self.admit()
            needs = _LOGPROBS if ask.logprobs and not ask.schema else frozenset[str]()
            hold = partial(self.meter.hold, member.config)
            call_id = self.journal.call_id(key)
            run = "" if self.journal.run == MemoryJournal.run else self.journal.run
            tries = Tries(
                self.meter.leave,
                spent=hold,
                needs=needs,
                place=place,
                call_id=call_id,
                run=run,
                waiter=self.meter,
            )
            asked = OF_CALL.set(tries)
            expected = _expected(ask) if member.config.batch else (0, 0)
            hold(*expected)  # a batch is answered long after others of the run are sent
            try:
                outcome = await self._make(ask, member, call_id)
                place.end()
                outcome = self._kept(outcome, tries, member)
                self.journal.write(key, outcome)
            except BaseException as error:
                if tries.left:
                    self.meter.calls -= tries.sent  # the next session finds its answers, and counts them
                    raise
                if isinstance(error, ModelError):
                    error.model = member.config.model
                    place.end(failed=isinstance(error, ModelUnavailable))
                vain = _vain(tries, member.config, getattr(error, "kind", "broken_off"))
                self.meter.add(vain)
                self.journal.write_vain(key, vain)
                raise
            finally:
                OF_CALL.reset(asked)
                hold(-tries.input_tokens - expected[0], -tries.output_tokens - expected[1])
                self.release()
        finally:
            place.leave()
        return outcome

    def _kept(self, outcome: Outcome, tries: Tries, member: Member) -> Outcome:
        """An outcome as it is stored, so that a replay from the journal goes on with the very same text; counted."""
        if (text := storable(outcome.text)) is not outcome.text:
            outcome = replace(outcome, text=text, parsed=None)
        if outcome.reasoning:
            outcome = replace(outcome, reasoning=storable(outcome.reasoning))
        if outcome.attempts not in (0, tries.sent):
            outcome = replace(outcome, attempts=tries.sent)
        if outcome.input_tokens:
            self.meter.answered.add(member.config.model)
        self.meter.count(outcome)
        return outcome

    async def _make(self, ask: Ask, member: Member, call_id: str) -> Outcome:
        try:
            if self.tracing.on:
                return await self._traced(ask, member, call_id)
            return await _make(ask, member, call_id, self._is_heard(ask.model, member))
        except ModelError as error:
            if self.pool.guarded:
                raise _without_words(error, member, call_id) from None
            raise

    def _is_heard(self, name: str, member: Member) -> bool | None:
        """Whether anybody listens to LangChain's calls: the same for all items of a run, and costly to find out."""
        if name not in self.heard and isinstance(member.chat, Heard):
            self.heard[name] = member.chat.is_heard()
        return self.heard.get(name)

    async def _traced(self, ask: Ask, member: Member, call_id: str) -> Outcome:
        """`_make` with a span; texts only where the configuration wants them told."""
        about = call_attributes(
            run=self.journal.run,
            item=self.journal.item,
            role=ask.role,
            seat=ask.seat,
            template=ask.prompt.template,
            model=member.config.model,
            parameters={"temperature": ask.temperature, "max_tokens": ask.max_tokens, "seed": ask.seed},
        )
        with self.tracing.span(f"solon.call.{ask.role}", "LLM", about) as span:
            outcome = await _make(ask, member, call_id, self._is_heard(ask.model, member))
            attributes = {
                "solon.call": outcome.call_id,
                "gen_ai.response.id": outcome.call_id,
                "solon.outcome": outcome.outcome,
                "llm.token_count.prompt": outcome.input_tokens,
                "llm.token_count.completion": outcome.output_tokens,
                "llm.finish_reason": outcome.finish_reason,
            }
            if self.tracing.capture_content:
                attributes |= {INPUT: ask.prompt.text, OUTPUT: outcome.text}
            for key, value in attributes.items():
                if value is not None:
                    span.set_attribute(key, value)
        return outcome

    async def parsed(self, ask: Ask) -> tuple[Outcome, BaseModel | None]:
        """The outcome of a call, as of `call`, and its answer read into the ask's schema.

        Returns:
            The outcome, and the object without what it repeats of the prompt; None where the answer does not follow
            the schema or the ask has none.
        """
        outcome = await self.call(ask)
        if not outcome.ok or ask.schema is None:
            return outcome, None
        parsed = outcome.parsed
        if parsed is None:
            from solon.agents.models.answers import find_answer

            parsed, problem = find_answer(outcome.text, ask.schema)
            if parsed is None:  # kept by an earlier version, which read answers otherwise
                return replace(outcome, outcome=BadOutput.kind, error=problem), None
        return outcome, own_words(parsed, ask.prompt, cites=ask.role != "generator")


def _without_words(error: ModelError, member: Member, call_id: str) -> ModelError:
    """The error without what the server said, which may repeat what it was sent. The next step is our own."""
    status = getattr(getattr(error, "complaint", None), "status", None)
    what = f"{error.kind}, HTTP {status}" if status else error.kind
    cause = f"{member.config.model}: call {call_id} failed ({what}); its words are withheld"
    plain: type[ModelError] = next(kind for kind in type(error).__mro__ if kind.__module__ == "solon.errors")
    wordless = plain(cause, next_step=error.next_step)
    wordless.systemic, wordless.of_item = error.systemic, error.of_item
    return wordless


def _about(ask: Ask) -> int:
    """About how many tokens a call takes, prompt and answer together: for rates a minute."""
    return sum(_expected(ask))


def _expected(ask: Ask) -> tuple[int, int]:
    """About how many tokens the prompt of a call has, and how many its answer has at most."""
    return most_tokens([ask.prompt.text]) // 3, ask.max_tokens


def _key(ask: Ask, member: Member) -> CallKey:
    config = member.config
    parameters = {
        "temperature": ask.temperature,
        "max_tokens": ask.max_tokens,
        "seed": ask.seed,
        "top_p": config.top_p,
        "logprobs": ask.logprobs and ask.schema is None,
        "base_url": config.base_url,
        **({} if ask.ends is None else {"ends": [*ask.ends]}),
    }
    return CallKey(
        role=ask.role,
        seat=ask.seat,
        sample=ask.sample,
        round=ask.round,
        model=config.model,
        parameters=parameters,
        template=ask.prompt.template,
        prompt=ask.prompt.text,
        schema=ask.schema.__name__ if ask.schema else "",
        opening=ask.prompt.opening,
        closing=ask.prompt.closing,
    )


async def _make(ask: Ask, member: Member, call_id: str, heard: bool | None) -> Outcome:
    from solon.agents.models import structured
    from solon.agents.models.features import Unsupported

    try:
        if ask.ends is not None:
            reply = await structured.continue_text(
                member.chat,
                member.capabilities,
                ask.prompt.user,
                stop=ask.ends,
                max_tokens=ask.max_tokens,
                temperature=ask.temperature,
                seed=ask.seed,
                top_p=member.config.top_p,
                role=ask.role,
            )
            return _outcome(call_id, reply, member.config)
        reply = await structured.ask(
            member.chat,
            member.capabilities,
            [("system", ask.prompt.system), ("user", ask.prompt.user)],
            schema=ask.schema,
            max_tokens=ask.max_tokens,
            temperature=ask.temperature,
            seed=ask.seed,
            top_p=member.config.top_p,
            logprobs=ask.logprobs,
            role=ask.role,
            heard=heard,
        )
    except TooLong as error:
        failure = {"outcome": error.kind, "error": error.cause}
        return Outcome(call_id, "", **failure, input_tokens=0, output_tokens=0, attempts=0)  # type: ignore[arg-type]
    except Unsupported as error:
        refused = _vain(Tries(sent=int(error.sent)), member.config, "unsupported")
        return replace(refused, call_id=call_id, error=error.cause)
    except BadOutput as error:
        last: Reply | None = getattr(error, "reply", None)
        if last is None:
            return Outcome(call_id, "", outcome=error.kind, error=error.cause)
        return _outcome(call_id, last, member.config, kind=error.kind, problem=error.cause)
    return _outcome(call_id, reply, member.config, parsed=reply.parsed)


def _outcome(
    call_id: str,
    reply: Reply,
    config: ModelConfig,
    *,
    kind: str = "ok",
    problem: str = "",
    parsed: Any = None,
) -> Outcome:
    return Outcome(
        call_id=call_id,
        text=parsed.model_dump_json() if parsed is not None else reply.text,
        parsed=parsed,
        outcome=kind,
        error=problem,
        logprobs=reply.logprobs,
        finish_reason=reply.finish_reason,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        attempts=reply.attempts,
        seconds=reply.seconds,
        request_id=reply.request_id,
        reasoning=reply.reasoning,
        estimated=reply.estimated,
        cached_tokens=reply.cached_tokens,
        cost=_cost(config, reply.input_tokens, reply.output_tokens, reply.cached_tokens),
        currency=config.price.currency if config.price is not None else None,
    )


def _vain(tries: Tries, config: ModelConfig, kind: str) -> Outcome:
    """What was spent on a call that came to no outcome, for the journal and the meter."""
    return Outcome(
        new_id(),
        "",
        outcome=kind,
        input_tokens=tries.input_tokens,
        output_tokens=tries.output_tokens,
        attempts=tries.sent,
        estimated=tries.estimated,
        cached_tokens=tries.cached_tokens,
        cost=_cost(config, tries.input_tokens, tries.output_tokens, tries.cached_tokens),
        currency=config.price.currency if config.price is not None else None,
    )


def _cost(
    config: ModelConfig, input_tokens: int | None, output_tokens: int | None, cached: int = 0
) -> float | None:
    if config.price is None or input_tokens is None or output_tokens is None:
        return None
    return config.price.cost(input_tokens, output_tokens, cached=cached, batch=config.batch)
