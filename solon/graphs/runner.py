"""Work on a run: claim items, drive them, deliver decisions; keep every state true whatever fails or stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from solon.agents.calls import Account, Meter, ModelPool
from solon.agents.echoes import ECHO
from solon.config import Config
from solon.errors import (
    CUT,
    WITHHELD,
    BadOutput,
    ClaimLost,
    ConfigError,
    InternalError,
    LimitReached,
    ModelError,
    PartFailed,
    SolonError,
    StoreError,
)
from solon.graphs.arrivals import Arrivals
from solon.graphs.build import compile_graph
from solon.graphs.contexts import Contexts
from solon.graphs.filters import Sieve
from solon.graphs.garbage import collecting_seldom
from solon.graphs.resuming import Threads
from solon.graphs.saver import open_saver
from solon.graphs.spending import choose_reviews
from solon.graphs.state import named_decision
from solon.observers import Observer
from solon.privacy import make_scanner, texts_of
from solon.recipes.recipe import Recipe
from solon.store.database.events import CONTINUED, WAITING, event
from solon.store.database.store import Store
from solon.store.records.overview import count_without_drafts
from solon.store.reviewing import deliveries
from solon.store.reviewing import reviews as review_store
from solon.store.reviewing.budget import find_round, open_picked, withdraw_held
from solon.store.runs import holds
from solon.store.runs import items as item_store
from solon.store.runs.certificates import certificate_of, suspend
from solon.store.runs.items import ItemRow
from solon.store.runs.pilot import queued_pilot
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import add_active_seconds, has_answered
from solon.tracing import Tracing, make_tracing

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

_USELESS = frozenset({"empty", ECHO, CUT, WITHHELD})
"""Why a draft cannot be used where its model gave nothing."""
GIVE_UP_AFTER = 8
"""Model failures in a row, without one success between, after which a run stops instead of parking every item; and as
many items for which models gave nothing, while none of the run has come to something."""
DELIVERY_PAUSE = 1.0
"""Seconds after which further decisions are looked for while some are still on their way to their items."""
BATCH_PAUSE = 0.02
"""Seconds between two looks whether the items of a batch have come to rest."""


Answering = Callable[[ItemRow], Awaitable[bool]]
"""What stores the answer to the review that an item has come to wait for, where it is known; True where it did."""


@dataclass(slots=True)
class Progress:
    """What `on_progress` sees after every change.

    Attributes:
        meter: what was spent.
        counts: items by state, which sum to the items of the run.
        round: which round of its budget the run is in, in words; empty without rounds.
    """

    meter: Meter
    counts: dict[str, int] = field(default_factory=dict)
    round: str = ""

    def move(self, source: str, target: str, number: int = 1) -> bool:
        """Count items from one state to another. Returns False where there are not so many: the counts are out
        of date."""
        if self.counts.get(source, 0) < number:
            return False
        self.counts[source] -= number
        self.counts[target] = self.counts.get(target, 0) + number
        return True


class Runner:
    """Works on one run, in one event loop."""

    def __init__(
        self,
        store: Store,
        run: RunRow,
        config: Config,
        pool: ModelPool,
        meter: Meter,
        *,
        recipe: Recipe,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """`recipe`: that of the run."""
        self.store, self.run, self.config, self.pool, self.meter = store, run, config, pool, meter
        self.me = ""
        self.recipe = recipe
        self._batch = recipe.source.at_once
        self.progress = Progress(meter)
        self.arrivals: Arrivals | None = None
        self.answering: Answering | None = None
        self._notes: set[asyncio.Future[None]] = set()
        self._stood_in: set[str] = set()
        meter.watch = self._note
        self._on_progress, self._watcher = on_progress, Observer("on_progress")
        self.learned: int | None = (
            None  # reviews of the budget that were answered when the panel last learned
        )
        self._failures, self._since = 0, 0.0
        self._useless, self._fruitful = 0, False
        self._under_way: set[str] = set()
        self._awaited: frozenset[str] = frozenset()
        # with a batch API the first few would wait for hours before the others begin
        batched = any(model.batch for model in config.models.values())
        self._sieve = Sieve(passed=batched or not config.filters.names())
        self._doubtful: list[tuple[ItemRow, ModelError]] = []
        self._undelivered: set[str] = set()
        self._fatal: SolonError | None = None

    def stop(self, why: str) -> None:
        """Let a running `work` end: calls in flight are finished (what is in a batch is left at the provider), no new
        ones made, every item is left where it can go on."""
        self.meter.stop(why)

    async def work(self) -> None:
        """Deliver decisions and work on items until none of the run is queued, or until it is stopped.

        Raises:
            LimitReached: a limit or `stop` ended it; everything can be resumed.
            ClaimLost: another process took items over while this one was paused; what it still held is done.
            ModelError: no model answers; its items are parked or queued and can be resumed.
            ConfigError: a model cannot be made, or its engine cannot start; every item stays queued.
            StoreError: the store cannot be written; what was committed is intact.
        """
        with collecting_seldom():
            async with self.at_work(), self.arrivals.under_way() if self.arrivals else nullcontext():
                await self._work()
        if self._fatal is not None:
            raise self._fatal
        if self.meter.stopping:
            raise LimitReached(self.meter.stopping, next_step="continue with `solon resume`")

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """A context in which items can be worked on: the graph with its checkpoints, a name to claim items under that
        is kept alive, and the account of what is spent. Items of workers that are gone are queued again at its
        beginning."""
        recipe = self.recipe
        self.meter.reopen()
        self._stood_in.clear()
        if recipe.roles:
            self.pool.prepare(recipe.roles)
        async with open_saver(self.store) as saver:
            tracing = self._tracing()
            graph = compile_graph(recipe, saver, tracing)
            self.contexts = Contexts(
                self.store, self.run, recipe, self.config, self.pool, self.meter, tracing
            )
            self._threads = Threads(self.store, graph, self.contexts, tracing)
            with item_store.working() as self.me:
                self._since = time.monotonic()
                with self.store.transaction() as connection:
                    item_store.release_dead(connection, self.run.id)
                    deliveries.recover_outbox(connection, self.run.id)
                    deliveries.settle_arrived(connection, self.run.id)
                if self.meter.of_run:
                    await Account.open(self.store, self.run.id, self.me, self.meter)
                keeper = asyncio.create_task(self._keep_claims())
                try:
                    yield
                finally:
                    keeper.cancel()
                    await self._end()

    async def _end(self) -> None:
        # A call whose neighbour failed goes on by itself: what it brings must not be lost.
        await self.meter.land()
        await asyncio.gather(*self._notes, return_exceptions=True)
        if isinstance(self._fatal, StoreError):
            return
        if self.meter.account is not None:
            await self.meter.account.close(self.meter)
        seconds = time.monotonic() - self._since
        await self.store.writer.run(lambda connection: add_active_seconds(connection, self.run.id, seconds))
        self._recount()

    async def _work(self) -> None:
        size = self.config.run.concurrency or self.pool.concurrency
        self._screen()
        self._recount()
        try:
            await self._deliver_all(size)
            await self._work_through(size)
            if self.config.routing.policy == "budget" and not self._stopping:
                await self._spend_budget(size)
        except asyncio.CancelledError:
            self.stop("interrupted")
            raise

    def _tracing(self) -> Tracing:
        """Spans never hold texts that may name people, whatever is asked for."""
        config = self.config.tracing
        if self.config.privacy.guarded:
            config = config.model_copy(update={"capture_content": False})
        return make_tracing(config)

    def _screen(self) -> None:
        """Every queued seed is scanned before the first call; what may name a person is parked."""
        scanner = make_scanner(self.config.privacy)
        if scanner is None:
            return

        def scan(content: Mapping[str, Any]) -> holds.Findings:
            return [finding.as_list() for finding in scanner.scan(texts_of(content))]

        holds.screen(self.store, self.run.id, scan, scanner.identity)

    @property
    def _stopping(self) -> bool:
        return bool(self.meter.stopping) or self._fatal is not None

    async def _spend_budget(self, size: int) -> None:
        """All are judged: those worth most go to experts, the others end as their panel found.

        While others are at work on the run not all are judged: whoever ends last does it.
        """
        with self.store.connect() as connection:
            counts = item_store.count_states(connection, self.run.id)
        if counts["queued"] + counts["running"]:
            return
        outcomes = self.recipe.question.asked(self.config).outcomes
        picked, others = await asyncio.to_thread(
            choose_reviews, self.store, self.run, self.config.routing, outcomes, self.learned
        )
        await self.store.writer.run(lambda connection: open_picked(connection, self.run.id, picked))
        self._recount()  # a round may have begun
        gate = asyncio.Semaphore(size)

        async def one(review: review_store.ReviewRow) -> None:
            async with gate:
                ids = await self.store.writer.run(
                    lambda c: item_store.claim_named(c, [review.item_id], self.me, state="waiting")
                )
                for item in self._load(ids):  # none where another process has it
                    state = await self._threads.release(item, review)
                    await self.store.writer.run(lambda connection: withdraw_held(connection, review.id))
                    self._moved("waiting", state["outcome"])

        await asyncio.gather(*(one(review) for review in others))

    async def _work_through(self, size: int) -> None:
        queue: asyncio.Queue[ItemRow | None] = asyncio.Queue(maxsize=size)
        workers = [asyncio.create_task(self._worker(queue)) for _ in range(size)]
        try:
            await self._feed(queue, size)
        except BaseException:
            self.stop("interrupted")
            raise
        finally:
            for _ in workers:
                await queue.put(None)
            await asyncio.gather(*workers)
            await self._settle_doubtful()

    async def _feed(self, queue: asyncio.Queue[ItemRow | None], size: int) -> None:
        """Claim in batches: a batch costs one transaction, and a crash leaves few items behind.

        The pilot goes first, in the order it was drawn in: what is judged of a run that stops half-way would else be
        the beginning of the seed file, and the sample would speak of nothing else. In batches it does not, or there
        would be nothing yet for it to be shown.
        """
        with self.store.transaction() as connection:
            item_store.requeue_parked(connection, self.run.id)
            pilot = queued_pilot(connection, self.run.id) if not self._batch else []
        self._recount()
        while not self._stopping:
            wanted = max(8, size // 2)
            part, pilot = pilot[:wanted], pilot[wanted:]
            ids = await self.store.writer.run(lambda c, n=wanted, part=part: self._claim(c, part, n))  # type: ignore[misc]
            if not ids and not part and not await self._more():
                return
            if ids:
                self._moved("queued", "running", len(ids))
            for item in self._load(ids):
                await queue.put(item)

    async def _more(self) -> bool:
        """Wait until further items may be there to claim; False where none will be."""
        return await self._next_batch() or (self.arrivals is not None and await self.arrivals.more())

    async def _next_batch(self) -> bool:
        """Wait a moment for the items of a batch to rest; False where none is left to begin after them."""
        if not self._batch:
            return False
        await asyncio.sleep(BATCH_PAUSE)
        with self.store.transaction() as connection:
            item_store.release_dead(connection, self.run.id)
            items = item_store.unrested(connection, self.run.id)
        if items["running"] and items["running"] <= {item.id for item, _ in self._doubtful}:
            await self._settle_doubtful()  # the others of the batch have shown by now whether it is the model
        return bool(items["queued"])

    def _load(self, ids: Sequence[str]) -> list[ItemRow]:
        """What was just claimed, as it is to be worked on; whoever froze in between may have lost it already."""
        loaded = item_store.load_items(self.store, ids)
        for item in loaded:
            if item.claimed_by != self.me:
                self._lose(ClaimLost(item.id))
        return [item for item in loaded if item.claimed_by == self.me]

    def _lose(self, lost: ClaimLost) -> None:
        """An item is another worker's now. What is still held is finished, and nothing new is taken."""
        self._fatal = self._fatal or lost

    def _claim(self, connection: Connection, named: Sequence[str], wanted: int) -> list[str]:
        if not named:
            return item_store.claim(connection, self.run.id, wanted, self.me, batch=self._batch)
        taken = set(item_store.claim_named(connection, named, self.me))
        return [item_id for item_id in named if item_id in taken]

    async def _worker(self, queue: asyncio.Queue[ItemRow | None]) -> None:
        while (item := await queue.get()) is not None:
            with await self._sieve.place() as place:
                if self._stopping:
                    await self._set(item, "queued")
                else:
                    await self._attempt(item, place)

    async def _attempt(self, item: ItemRow, place: ExitStack) -> None:
        """One item to its next resting place. Every failure is attributed here, once."""
        self._under_way.add(item.id)
        try:
            state = await self._threads.drive(item)
        except LimitReached as limit:
            # Nothing further is begun: the item would be taken again at once.
            self.meter.stopping = self.meter.stopping or limit.cause
            await self._set(item, "queued")
        except ClaimLost as lost:
            self._lose(lost)
        except ModelError as error:
            self._remember(error)
            if not self._is_blameless(error):
                await self._park(item, error)
            elif self._fatal is not None:
                await self._set(item, "queued")
            else:
                self._doubtful.append((item, error))
        except ConfigError as error:  # an engine that cannot start, starts for no item
            self._fatal = self._fatal or error
            await self._set(item, "queued")
        except StoreError as error:
            self._fatal = self._fatal or error
        except InternalError as error:
            await self._set(item, "parked", reason=_unforeseen(error.cause))
        except PartFailed as error:
            await self._set(item, "parked", reason=_of_part(error, self.run.id))
        except SolonError as error:
            await self._set(item, "failed", reason=error.cause)
        except Exception as error:
            # Whatever it is may be mended, here or there: the item is kept, and what was paid for it with it.
            await self._set(item, "parked", reason=_unforeseen(self._spell(error)))
        else:
            if useless := _tell_useless(state, self.store):
                self._give_up(item, useless)
            else:
                self._failures, self._fruitful = 0, True
            waits = "__interrupt__" in state
            self._moved("running", "waiting" if waits else state["outcome"])
            if why := self._sieve.add(state, place):
                self.stop(why)  # it would make nothing
            if waits:
                await self._answer(item)
        finally:
            self._under_way.discard(item.id)

    def _give_up(self, item: ItemRow, useless: ModelError) -> None:
        """Stop the run once `GIVE_UP_AFTER` items ended like this one and none that was under way beside them came to
        something: what is refused ends at once, and what is drafted later. A run with nothing left to begin ends as it
        is."""
        self._useless += 1
        if self._useless == GIVE_UP_AFTER:
            self._awaited = frozenset(self._under_way)
        awaited = self._awaited & (self._under_way - {item.id})
        if self._useless < GIVE_UP_AFTER or self._fruitful or awaited:
            return
        with self.store.connect() as connection:
            counts = self.count_states(connection)
        drafted = counts["rejected"] - count_without_drafts(self.store, self.run.id)
        self._fruitful = counts["accepted"] + counts["waiting"] + drafted > 0
        if counts["queued"] and not self._fruitful:
            self._fatal = self._fatal or useless

    async def _answer(self, item: ItemRow) -> None:
        """Carry on the answer that `answering` has for an item, so that nobody waits for what is known."""
        if self.answering is None or self._stopping:
            return
        try:
            if not await self.answering(item):
                return
            batch = await self.store.writer.run(
                lambda connection: review_store.claim_deliveries(connection, self.me, 1, item_id=item.id)
            )
            self._moved("waiting", "running", len(batch))
            for delivery in batch:
                for held in self._load([item.id]):
                    await self._deliver(held, delivery)
        except SolonError as error:  # the item waits by now, and is nobody's: the run ends with the error
            self._fatal = self._fatal or error
        except Exception as error:
            told = f"an answer that is known could not be given: {self._spell(error)[:400]}"
            self._fatal = self._fatal or InternalError(
                told, next_step="repeat the command, and report it if it stays"
            )

    def _note(self, what: str, words: str) -> None:
        """Write down what the meter tells: a server is waited for or answers again, another model answered in the place
        of the one that was asked. Where that cannot be written, the run ends: a certificate would stand that does not
        hold."""
        if what == "away":
            kind = WAITING if words else CONTINUED
            note = self.store.writer.add([event("system", kind, self.run.id, {"why": words})])
            self._recount()
        else:
            if words in self._stood_in:
                return
            self._stood_in.add(words)
            note = self.store.writer.run(lambda c: self._suspend(c, words))
        task = asyncio.ensure_future(note)
        self._notes.add(task)
        task.add_done_callback(self._noted)

    def _noted(self, task: asyncio.Future[None]) -> None:
        self._notes.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, SolonError):
            self._fatal = self._fatal or error

    def _suspend(self, connection: Connection, why: str) -> None:
        """A certificate speaks of its panel: it is suspended where another model took a seat."""
        certificate = certificate_of(connection, self.run)
        if certificate is not None and certificate.suspended_at is None:
            suspend(connection, certificate.id, why=why)

    def _remember(self, error: ModelError) -> None:
        """Stop the run where nothing works: a wrong key or a dead server would otherwise park every item."""
        self._failures += 1
        never = error.systemic and error.model not in self.meter.answered
        if never or error.outage or self._failures >= GIVE_UP_AFTER:
            self._fatal = self._fatal or error

    def _is_blameless(self, error: ModelError) -> bool:
        """Whether an item has nothing to do with its failure, since the model has answered nobody: in this session
        where every call would fail alike, else in the whole run."""
        if error.outage:
            return True
        if error.of_item or error.model in self.meter.answered:
            return False
        if error.systemic:
            return True
        with self.store.connect() as connection:
            return not has_answered(connection, self.run.id, error.model)

    async def _settle_doubtful(self) -> None:
        """Items that failed before their model had answered anybody: parked if it has by now; else it is the model
        that fails, they stay queued, and the run has failed."""
        while self._doubtful:
            item, error = self._doubtful.pop(0)
            if not self._is_blameless(error):
                await self._park(item, error)
                continue
            if not self.meter.stopping:
                self._fatal = self._fatal or error
            await self._set(item, "queued")

    async def _park(self, item: ItemRow, error: ModelError) -> None:
        await self._set(item, "parked", reason=f"{error.kind}: {error.cause}")

    async def _deliver_all(self, size: int) -> None:
        """Resume every thread that has a decision waiting in the outbox. One that takes long, since a model has to
        answer, holds up no others, nor those that come meanwhile."""
        gate = asyncio.Semaphore(size)
        under_way: set[asyncio.Task[None]] = set()

        async def one(item: ItemRow, delivery: review_store.Delivery) -> None:
            async with gate:
                await self._deliver(item, delivery)

        try:
            while not self._stopping:
                for item, delivery in await self._claim_deliveries(4 * size - len(under_way)):
                    under_way.add(asyncio.create_task(one(item, delivery)))
                if not under_way:
                    return
                done, under_way = await asyncio.wait(under_way, timeout=DELIVERY_PAUSE)
                for task in done:
                    task.result()
            await asyncio.gather(*under_way)
        except BaseException:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            raise

    async def _claim_deliveries(self, most: int) -> list[tuple[ItemRow, review_store.Delivery]]:
        if most <= 0:
            return []
        batch = await self.store.writer.run(
            lambda connection: review_store.claim_deliveries(
                connection, self.me, most, run_id=self.run.id, without=self._undelivered
            )
        )
        self._moved("waiting", "running", len(batch))
        new = {delivery.item_id: delivery for delivery in batch}
        given = [(item, new[item.id]) for item in self._load(list(new))]
        self.contexts.read_ahead([name for _, delivery in given for name in delivery.review.candidates])
        return given

    async def _deliver(self, item: ItemRow, delivery: review_store.Delivery) -> None:
        problem, stopped = "", False
        try:
            state = await self._threads.deliver(item, delivery)
            self._failures = 0
            self._moved("running", "waiting" if "__interrupt__" in state else state["outcome"])
            return
        except LimitReached as error:
            problem, stopped = error.cause, True
        except ClaimLost as lost:
            self._lose(lost)
            return
        except ModelError as error:
            self._remember(error)
            problem, stopped = error.cause, self._fatal is not None and self._is_blameless(error)
        except ConfigError as error:
            self._fatal = self._fatal or error
            problem, stopped = error.cause, True
        except StoreError as error:
            self._fatal = self._fatal or error
            return
        except Exception as error:
            problem = self._spell(error)
        self._undelivered.add(delivery.decision_id)
        (item,) = item_store.load_items(self.store, [item.id])  # it may be in a later attempt now
        if item.claimed_by not in (self.me, None):
            self._lose(ClaimLost(item.id))
            return
        taken_in = named_decision(await self._threads.stands_at(item)) == delivery.decision_id
        await self._write(
            item,
            lambda connection: review_store.not_delivered(
                connection, delivery, problem, taken_in=taken_in, state="queued" if stopped else "parked"
            ),
        )
        self._recount()

    def _spell(self, error: Exception) -> str:
        """What nobody foresaw, in words; without its own where they may repeat a seed's."""
        kind = type(error).__name__
        return (
            kind if self.config.privacy.guarded and not isinstance(error, SolonError) else f"{kind}: {error}"
        )

    async def _set(self, item: ItemRow, state: str, *, reason: str | None = None) -> None:
        moved = await self._write(
            item,
            lambda connection: item_store.set_state(connection, item.id, item.attempt, state, reason=reason),
        )
        if moved:
            self._moved("running", state)

    async def _write(self, item: ItemRow, function: Callable[[Connection], Any]) -> Any:
        """Write of an item under its claim; what keeps it from being written stops this worker."""
        try:
            return await self.store.writer.run(function, claim=item.claim)
        except (StoreError, ClaimLost) as error:
            self._fatal = self._fatal or error
            return False

    async def _keep_claims(self) -> None:
        while True:
            await asyncio.sleep(item_store.CLAIM_SECONDS / 4)
            before, self._since = self._since, time.monotonic()
            try:
                await self.store.writer.run(partial(self._stay, seconds=self._since - before))
            except StoreError as error:
                self._fatal = self._fatal or error

    def _stay(self, connection: Connection, *, seconds: float) -> None:
        """Prolong what is held, and count the time of work, which a kill would else take along."""
        add_active_seconds(
            connection, self.run.id, seconds
        )  # the run first, as whoever opens an account of it
        item_store.keep_claims(connection, self.me)

    def _recount(self) -> None:
        if self._on_progress is None:
            return  # a server's worker comes by here for every few decisions of a run, however large
        self._count()
        self._watcher.call(self._on_progress, self.progress)

    def count_states(self, connection: Connection) -> dict[str, int]:
        """How many items are in each state; those that are still to be stored are `queued`."""
        counts = item_store.count_states(connection, self.run.id)
        if self.arrivals is not None and not self.arrivals.stored:
            counts["queued"] += max(0, self.arrivals.items - sum(counts.values()))
        return counts

    def _count(self) -> None:
        with self.store.connect() as connection:
            self.progress.counts = self.count_states(connection)
            found = find_round(connection, self.run.id, self.config.routing)
        self.progress.round = f"round {found.number} of {found.of}" if found and found.number else ""

    def _moved(self, source: str, target: str, number: int = 1) -> None:
        """Tell `on_progress` of a move: neither it nor what it does to the counts reaches the item."""
        if self._on_progress is not None:
            self._watcher.call(self._tell, self._on_progress, source, target, number)

    def _tell(self, on_progress: Callable[[Progress], None], source: str, target: str, number: int) -> None:
        if not self.progress.move(source, target, number):
            self._count()  # other hands were at work: another process, a decision, an erasure
        on_progress(self.progress)


def _of_part(error: PartFailed, run_id: str) -> str:
    """The reason of an item that was parked by a part of a recipe, with the next step."""
    return f"part: {error.cause[:400]}; {error.next_step}, then: solon resume {run_id} --adopt-recipe"


def _unforeseen(words: str) -> str:
    """The reason of an item that was parked by what nobody foresaw, with the next step."""
    return f"unforeseen: {words[:400]}; `solon resume` tries it again; please report it if it stays"


def _tell_useless(state: Mapping[str, Any], store: Store) -> ModelError | None:
    """The error of a run in which one item after the other ends like this one: no model gave a draft of it."""
    refused = state.get("refused") or {}
    if state.get("outcome") != "rejected" or not refused or not refused.keys() <= _USELESS:
        return None
    if any(item_store.load_candidate(store, name).kind != "given" for name in state.get("candidates") or ()):
        return None
    return BadOutput(
        f"one item after the other has no draft that can be used, as in: {state.get('reason')}",
        next_step="`solon show` one of them (`solon status` names it): give [generator] another model, or ask for what "
        "it answers, and start a new run; `solon resume` goes on as it is",
    )
