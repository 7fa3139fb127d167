"""Items that are worked on one by one, as a graph of one's own asks for them: opened, brought to where they rest,
answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from solon.errors import (
    AlreadyDecided,
    ConfigError,
    ReviewError,
    SeedError,
    SolonError,
    UsageError,
)
from solon.formats.seed_rows import SeedRow
from solon.plugins import bind
from solon.store.database.local_actor import local_actor
from solon.sync import BackgroundLoop
from solon.workspace.seeds import read_rows
from solon.workspace.views import view_review

if TYPE_CHECKING:
    from solon.graphs.item_runner import ItemRunner
    from solon.graphs.own_saver import OwnSaver
    from solon.store.runs.interactive import Visit
    from solon.store.runs.run_row import RunRow
    from solon.store.runs.runs import Pins
    from solon.workspace.workspace import Workspace

LOOK_AGAIN = 0.05
"""Seconds between two looks at an item that somebody moved just now."""
ENDS = ("accepted", "rejected", "failed", "parked")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an item rests.

    Attributes:
        item: id of the item.
        outcome: accepted, rejected, failed or parked; None where it waits for a person.
        reason: why, in words; None where nothing needs saying.
        record: the record of an accepted item, as plain values; None otherwise.
        asked: what its person is asked, see `_asked`; empty where nobody is.
    """

    item: str
    outcome: str | None = None
    reason: str | None = None
    record: dict[str, Any] | None = None
    asked: dict[str, Any] = field(default_factory=dict)


class Interactive:
    """The interactive runs of a workspace. Coroutines of it run in its own `loop`, where its models and checkpoints
    stay open between calls.

    Args:
        workspace: its store, configuration, models and recipes.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.loop = BackgroundLoop("solon-items")
        self._open: dict[str, ItemRunner] = {}
        self._turn = asyncio.Lock()
        self._held = AsyncExitStack()
        self._saver: Any = None

    def saver(self, graph: str) -> OwnSaver:
        """What keeps the threads of a graph in the store's own checkpoints."""
        from solon.graphs.own_saver import OwnSaver
        from solon.graphs.saver import open_saver

        if self._saver is None:
            opened = open_saver(self._workspace.store, history=True)
            self._saver = self.loop.run(self._held.enter_async_context(opened))
        return OwnSaver(self._saver, self.loop, graph)

    def close(self) -> None:
        """End what is under way where it can go on, and release what is held."""
        try:
            self.loop.run(self._held.aclose())
        finally:
            self.loop.close()

    async def open(self, recipe: str, values: Mapping[str, Any], visit: Visit) -> str:
        """The id of the item of a visit, see `open_item`; it is new where none was opened there before.

        Raises:
            SeedError: the values make no seed, or it was forgotten.
            ConfigError, UsageError: the recipe or the configuration cannot be used.
        """
        from solon.store.runs.interactive import open_item

        seed = self._read(recipe, values)
        async with self._turn:
            run, pins = await asyncio.to_thread(self._find_run, recipe)
            routing = self._workspace.config.routing
            return await asyncio.to_thread(open_item, self._workspace.store, run, pins, seed, visit, routing)

    def _read(self, recipe: str, values: Mapping[str, Any]) -> SeedRow:
        workspace = self._workspace
        row, *more = read_rows([values], workspace.config, workspace.recipe(recipe))
        if more:
            raise SeedError(
                f"the recipe {recipe} makes {1 + len(more)} seeds of the input, and a graph asks for one at a time",
                next_step="give it one by one, such as a passage in place of its document",
            )
        if not isinstance(row, SeedRow):
            raise SeedError(f"the input is no seed: {row.reason}", next_step="see the columns of a seed file")
        return row

    def _find_run(self, recipe: str) -> tuple[RunRow, Pins]:
        """The interactive run of a recipe as everything is configured and in force now, made where there is none."""
        from solon.store.runs import runs
        from solon.store.runs.interactive import INTERACTIVE

        workspace = self._workspace
        if workspace.config.routing.policy == "budget":
            raise ConfigError(
                'policy "budget" chooses among all items of a run, and here they come one by one',
                next_step='take another, e.g. [routing] policy = "pilot"',
            )
        if workspace.config.routing.strata:
            raise ConfigError(
                "routing.strata are drawn among all items of a run, and here they come one by one",
                next_step="leave routing.strata out for graphs that ask for one record at a time",
            )
        workspace.config = bind(workspace.config, workspace.plugins)
        pins = workspace.pin(recipe, INTERACTIVE)
        config = workspace.config_for(recipe)
        shape = workspace.shape_of(*pins.law, pins.prompts_id, config=config)
        with workspace.store.transaction() as connection:
            runs.take_turn(connection)
            same = runs.find_same_run(connection, recipe, INTERACTIVE, shape)
            if same is not None:
                return same, pins
            run_id = runs.create_run(
                connection,
                recipe=recipe,
                pins=pins,
                seeds_name=INTERACTIVE,
                seeds_fingerprint=INTERACTIVE,
                random_seed=config.run.seed,
                actor=local_actor(),
            )
            runs.set_run(connection, run_id, status="waiting")
            return runs.find_run(connection, run_id), pins

    async def drive(
        self, item_id: str, *, on_step: Callable[[str], None] | None = None, texts: bool = True
    ) -> Standing:
        """Bring an item to where it rests, with a decision that was made meanwhile; errors as of `ItemRunner.bring`.

        Args:
            on_step: is told the name of each step that is taken here, from another thread.
            texts: what stands there holds texts, and not only ids.
        """
        runner = await self._runner(item_id)
        before = self._decisions(item_id)
        await runner.bring(item_id, on_step)
        while (standing := await asyncio.to_thread(self._stand, item_id, texts)) is None:
            await asyncio.sleep(LOOK_AGAIN)
            await runner.bring(item_id, on_step)
        if self._decisions(item_id) != before:
            await asyncio.to_thread(self._workspace.learn, runner.run.id, everything=False)
        return standing

    def _decisions(self, item_id: str) -> int:
        from solon.store.reviewing.deliveries import count_applied

        with self._workspace.store.connect() as connection:
            return count_applied(connection, item_id)

    async def _runner(self, item_id: str) -> ItemRunner:
        from solon.graphs.item_runner import ItemRunner
        from solon.store.runs.items import load_items
        from solon.store.runs.runs import find_run

        workspace = self._workspace
        found = load_items(workspace.store, [item_id])
        if not found:
            raise UsageError(
                f"the store has no item {item_id}", next_step="is this the store that it was opened in?"
            )
        run_id = found[0].run_id
        async with self._turn:
            if run_id not in self._open:
                with workspace.store.connect() as connection:
                    run = find_run(connection, run_id)
                runner = cast(ItemRunner, workspace.make_runner(run, kind=ItemRunner))
                self._held.push_async_callback(runner.pool.aclose)
                await self._held.enter_async_context(runner.at_work())
                self._open[run_id] = runner
            return self._open[run_id]

    def is_waiting(self, review_id: str) -> bool:
        """Whether a review still waits for its answer."""
        from solon.store.reviewing.review_rows import find_review

        with self._workspace.store.connect() as connection:
            return find_review(connection, review_id).state == "waiting"

    async def offer(self, review_id: str, answer: object) -> str:
        """Offer an answer to a review. Returns what has to be told of it: empty where it was taken, or had been.

        Nothing is raised: what cannot be an answer is said, and one that comes late is kept beside the decision.
        """
        return await asyncio.to_thread(self._offer, review_id, answer)

    def _offer(self, review_id: str, answer: object) -> str:
        if not isinstance(answer, Mapping):
            return f"an answer is a mapping with `choice`, not {answer!r:.80}"
        if foreign := sorted({"expert", "channel", "review"}.intersection(answer)):
            return f"{foreign[0]}: no part of an answer; whose it is says SOLON_TOKEN, or Project(expert=...)"
        parts = {str(name): value for name, value in answer.items() if name != "choice"}
        workspace = self._workspace
        try:
            taken = workspace.answer(review_id, str(answer.get("choice", "")), channel="graph", **parts)
        except AlreadyDecided as error:
            return self._late(review_id, answer, error)
        except (ReviewError, UsageError) as error:
            return _spell(error)
        told = {
            "decided": "",
            "vote": "your answer is a vote: it may decide with those of others",
            "second": "somebody decided first; your answer is kept as a second opinion",
        }
        return told.get(taken.kind, f"{taken.kind}: the review waits for somebody else")

    def _late(self, review_id: str, answer: Mapping[str, Any], error: AlreadyDecided) -> str:
        """What to tell whoever answers a review that was decided: nothing where they gave this very answer."""
        from solon.store.reviewing.late import keep_late

        workspace = self._workspace
        try:
            same = keep_late(workspace.store, review_id, dict(answer), actor=workspace.actor())
        except ReviewError as problem:
            return _spell(problem)
        return "" if same else f"{error.cause}; your answer is kept as a late one"

    def _stand(self, item_id: str, texts: bool) -> Standing | None:
        """Where an item rests; None where it does not rest any more, since somebody has decided or taken it back."""
        from solon.store.records.exporting import record_of_item
        from solon.store.reviewing.review_rows import waiting_review
        from solon.store.runs.items import FORGOTTEN, ending_of

        store = self._workspace.store
        with store.connect() as connection:
            state, reason = ending_of(connection, item_id)
            review = waiting_review(connection, item_id) if state == "waiting" else None
        if review is not None:
            return Standing(item_id, asked=self._asked(review, texts))
        if state == FORGOTTEN:
            return Standing(item_id, "failed", "its seed was forgotten, and what had come of it")
        if state not in ENDS:
            return None
        found = record_of_item(store, item_id) if state == "accepted" else None
        record = None if found is None else asdict(found)
        if record is not None and not texts:
            record = {
                name: record[name]
                for name in ("id", "recipe", "seed_id", "confidence", "route", "provisional")
            }
        return Standing(item_id, state, reason, record)

    def _asked(self, review: Any, texts: bool) -> dict[str, Any]:
        """What whoever answers has to know, without what the panel found: ids, choices, the address of the page; with
        texts the request and the candidates."""
        from solon.store.reviewing.manners import order_shown
        from solon.store.reviewing.served import server_address

        seen = view_review(self._workspace.store, review, blind=True, orders=False)
        text_of = {one.id: one.text for one in seen.candidates}
        # the store's order goes by the models that wrote them
        order = order_shown(self._workspace.store.key, review.id, "graph", list(text_of))
        with self._workspace.store.connect() as connection:
            address = server_address(connection, self._workspace.config.review.address)
        asked: dict[str, Any] = {
            "item": review.item_id,
            "review": review.id,
            "page": f"{address}/?review={review.id}",
            "recipe": review.recipe,
            "choices": list(seen.choices),
            "candidates": order,
            "response_schema": review.response_schema,
        }
        if texts:
            asked |= {
                "prompt": seen.prompt,
                "input": seen.input,
                "asks": seen.asks,
                "candidates": [{"id": name, "text": text_of[name]} for name in order],
            }
        return asked


def _spell(error: SolonError) -> str:
    return f"{error.cause}; {error.next_step}" if error.next_step else error.cause
