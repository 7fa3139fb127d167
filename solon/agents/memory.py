"""A journal that lives as long as its case, for agents that are asked without a store."""

from __future__ import annotations

from solon.store.database.ids import new_id
from solon.store.runs.journal import CallKey, Outcome


class MemoryJournal:
    """Finished calls by their keys: an equal call is not made twice. Nothing is stored.

    Attributes:
        run, item: what spans name; no such run is in a store.
    """

    run = item = "alone"

    def __init__(self) -> None:
        self._known: dict[str, Outcome] = {}

    def find(self, key: CallKey) -> Outcome | None:
        """The outcome of an equal call that finished before; None without one."""
        return self._known.get(key.content_key(self.item))

    async def keep_claim(self) -> None:
        """Nobody else works on the case."""

    def call_id(self, key: CallKey) -> str:
        """An id for a call."""
        return new_id()

    def write(self, key: CallKey, outcome: Outcome) -> None:
        """Remember a finished call."""
        self._known[key.content_key(self.item)] = outcome

    def write_vain(self, key: CallKey, outcome: Outcome) -> None:
        """A call that came to nothing answers no later one; its meter has counted it."""

    def check(self) -> None:
        """Nothing is written that could fail."""
