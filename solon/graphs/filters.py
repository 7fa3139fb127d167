"""The filters of `[filters]` over the texts of an item, duplicates among the items of its run included."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from solon.agents.filters import Side, find_filter
from solon.config.sections import FILTERED
from solon.store.records.overview import DROPPED
from solon.store.runs.duplicates import register

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.graphs.context import ItemContext

DROPS_ALL = 20
"""Items that filters drop, before any passes them, from which a run stops: at least six in seven would go on to be
dropped (95 %)."""


async def filter_text(context: ItemContext, case: Case, side: Side, text: str, name: str) -> str:
    """Return the name of the filter that drops a text of an item, such as `answer_length`; empty where it passes.

    A text that passes is remembered, so that a later one of another item that repeats it is dropped.

    Args:
        name: id of the candidate whose text it is, or of the item where it is the seed's request.
    """
    limits = getattr(case.config.filters, side)
    dropped = await find_filter(case, side, text)
    if dropped or limits is None or limits.similarity is None:
        return dropped
    kind, item, standing = f"{side}_duplicates", context.item, limits.within == "store"
    scope = f"{context.recipe.name if standing else item.run_id}/{side}"
    repeats = await context.store.writer.run(
        lambda connection: register(
            connection, scope, name, item.id, text, limits.similarity, kind, standing=standing
        ),
        claim=item.claim,
    )
    return kind if repeats else ""


def tell_dropped(counts: Mapping[str, int]) -> str:
    """The reason of an item whose texts were dropped: how many by which filter."""
    return f"{DROPPED}: {', '.join(f'{n} {name}' for name, n in sorted(counts.items()))}"


@dataclass(slots=True)
class Sieve:
    """What filters made of the items of a session. Until an item comes past them, no more than `DROPS_ALL` are begun:
    those behind them have spent nothing where the run stops.

    Attributes:
        items: that were rejected by filters.
        dropped: filter -> of how many of these it was a reason.
        passed: an item came past them.
        room: for items to begin; what was dropped keeps its place.
    """

    items: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    passed: bool = False
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DROPS_ALL))

    async def place(self) -> ExitStack:
        """Wait until a further item may begin. A context, at whose end its place is free, unless filters dropped it."""
        await self.room.acquire()
        if self.passed:
            self.room.release()
        place = ExitStack()
        place.callback(self.room.release)
        return place

    def add(self, state: Mapping[str, Any], place: ExitStack) -> str:
        """Count an item that rests; returns why the run should stop, empty where it should go on: filters dropped
        `DROPS_ALL` items, and none passed. Until then what is dropped keeps its place."""
        reason = str(state.get("reason") or "") if state.get("outcome") == "rejected" else ""
        if not reason.startswith(DROPPED):
            self.passed = True
        if self.passed:
            place.close()
            return ""
        self.items += 1
        self.dropped.update(name for name in FILTERED if name in reason)
        if self.items < DROPS_ALL:
            place.pop_all()
            return ""
        told = ", ".join(f"{name} {n}" for name, n in self.dropped.most_common())
        return f"filters dropped all of the first {self.items} items ({told}); loosen [filters] and start a new run"
